"""Where an instance lives: ports."""

from __future__ import annotations

import socket

from trunkline.telephony.pbx_home import _port


def test_a_usual_port_that_is_taken_everywhere_is_done_without() -> None:
    """As by another Asterisk on this machine."""
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert _port("127.0.0.77", taken) != taken
    assert _port("127.0.0.77", taken) == taken
