"""The HTTP side of the house; the whole house is tested in `tests/real/test_calls.py`."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import cast

import pytest
from fastapi import FastAPI

from trunkline.app import House, bind, serving
from trunkline.errors import NotReady


async def test_who_is_told_that_it_serves_may_connect_at_once() -> None:
    ended = []

    async def end_calls() -> None:
        ended.append(True)

    house = cast(House, SimpleNamespace(web=FastAPI(), switchboard=SimpleNamespace(end_calls=end_calls)))
    with bind("127.0.0.1", 0) as sock:
        async with serving(house, sock):
            # Blocking on purpose: nothing of the server has had a turn on the loop yet.
            socket.create_connection(sock.getsockname(), timeout=5).close()
        assert ended


def test_a_port_that_is_taken_is_named() -> None:
    with bind("127.0.0.1", 0) as first:
        first.listen()
        port = first.getsockname()[1]
        with pytest.raises(NotReady, match=f"127.0.0.1:{port}") as refused:
            bind("127.0.0.1", port)
    assert "service.port" in str(refused.value.remedy)
