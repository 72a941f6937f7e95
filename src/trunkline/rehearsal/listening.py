"""What the stand-in carrier listens on: UDP, TCP and TLS, each at a port of its own, and its throw-away certificate."""

from __future__ import annotations

import ssl

import trustme

from trunkline.errors import NotReady
from trunkline.rehearsal.config import CarrierConfig
from trunkline.sip.wire import StreamWire, UdpWire, Wire


class ThrowAwayAuthority:
    """An authority made on the spot, and a certificate of its for `names`: host names and IP addresses."""

    def __init__(self, *names: str) -> None:
        authority = trustme.CA()
        self.pem = authority.cert_pem.bytes().decode()
        """What has to be trusted, as PEM."""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        authority.issue_cert(*names).configure_cert(self.context)


async def listen(config: CarrierConfig, tls: ssl.SSLContext) -> list[Wire]:
    """One wire for each transport. Raises `NotReady`."""
    host, wires, port = config.listen_host, list[Wire](), config.listen_port
    try:
        wires.append(await UdpWire.open(host, port))
        port = config.listen_tcp_port
        wires.append(await StreamWire.listen(host, port))
        port = config.listen_tls_port
        wires.append(await StreamWire.listen(host, port, tls=tls))
    except OSError as error:
        for wire in wires:
            wire.close()
        raise NotReady(
            f"The carrier can't listen on {host}:{port}: {error.strerror}.",
            remedy="Name another address, or port 0 for a free one.",
        ) from error
    return wires
