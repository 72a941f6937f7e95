"""RTP of many calls on one UDP socket, hundreds of datagrams per system call (Linux: sendmmsg(2), recvmmsg(2)).

A load generator shares the machine with what it measures, so it has to cost next to nothing: here a packet takes a
microsecond of Python's time, because Python never sees a single packet, only tables of them.
"""

from __future__ import annotations

import ctypes
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trunkline.audio import FRAME_SAMPLES
from trunkline.errors import NotReady

PACKET: Final = np.dtype(
    [
        ("first", "u1"),
        ("type", "u1"),
        ("sequence", ">u2"),
        ("timestamp", ">u4"),
        ("ssrc", ">u4"),
        ("payload", "u1", (FRAME_SAMPLES,)),
    ]
)
"""20 ms of G.711 as it travels (RFC 3550 §5.1): 172 bytes."""
ADDRESS: Final = np.dtype([("family", "=u2"), ("port", ">u2"), ("host", "u1", (4,)), ("zero", "u1", (8,))])
"""sockaddr_in"""
_MESSAGE: Final = np.dtype(
    [
        ("name", "=u8"),
        ("name_size", "=u8"),
        ("vector", "=u8"),
        ("vector_size", "=u8"),
        ("control", "=u8"),
        ("control_size", "=u8"),
        ("flags", "=u8"),
        ("size", "=u8"),
    ]
)
"""mmsghdr of 64-bit Linux, its 32-bit fields widened over the padding behind them (little endian)."""
_VECTOR: Final = np.dtype([("base", "=u8"), ("size", "=u8")])
_CONTROL: Final = np.dtype([("size", "=u8"), ("kind", "=u8"), ("seconds", "=i8"), ("nanoseconds", "=i8")])
_SO_TIMESTAMPNS: Final = 35
_MOST: Final = 256
_BUFFER_BYTES: Final = 4 << 20
_PORT_ATTEMPTS: Final = 100
_libc = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Received:
    """What came, in order of arrival; the arrays are views that the next `receive` overwrites."""

    packets: NDArray[np.void]
    source_ports: NDArray[np.uint16]
    arrivals: NDArray[np.float64]
    """When the kernel got it: seconds since 1970."""


class RtpWire:
    """The socket. Not for other threads."""

    def __init__(self, host: str) -> None:
        self._socket, self._rtcp = _even_port(host)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._out, self._in = _Batch(), _Batch()
        self._control = np.zeros(_MOST, _CONTROL)
        self._in.messages["control"] = _pointers(self._control)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @property
    def dropped(self) -> int:
        """Datagrams the kernel had no room for, because we did not read them in time (proc(5), /proc/net/udp)."""
        mine = f":{self.port:04X}"
        for line in Path("/proc/self/net/udp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[1].endswith(mine):
                return int(fields[-1])
        raise NotReady("The kernel doesn't list our socket.")

    def send(self, packets: NDArray[np.void], to: NDArray[np.void]) -> int:
        """Send at most 256 packets, each to its own address. Returns how many the kernel took."""
        count = len(packets)
        out = self._out
        out.packets[:count], out.addresses[:count] = packets, to
        done = refused = 0
        while done < count:
            sent = _libc.sendmmsg(self._socket.fileno(), out.from_message(done), count - done, 0)
            if sent < 0:  # it refused the first of them: a call that has just ended, a full buffer
                refused += 1
                sent = 1
            done += sent
        return count - refused

    def receive(self) -> Received | None:
        """At most 256 datagrams that are waiting; `None`: there are none. What isn't 20 ms of G.711 is dropped."""
        messages = self._in.messages
        messages["name_size"] = ADDRESS.itemsize
        messages["control_size"] = _CONTROL.itemsize
        count = _libc.recvmmsg(self._socket.fileno(), self._in.from_message(0), _MOST, socket.MSG_DONTWAIT, None)
        if count <= 0:  # nothing there, or an ICMP error for something we sent
            return None
        arrivals = self._control["seconds"][:count] + self._control["nanoseconds"][:count] * 1e-9
        packets, ports = self._in.packets[:count], self._in.addresses["port"][:count]
        whole = messages["size"][:count] == PACKET.itemsize
        return Received(packets[whole], ports[whole], arrivals[whole])

    def close(self) -> None:
        self._socket.close()
        self._rtcp.close()


class _Batch:
    """Packets, their addresses, and the message headers that tell the kernel where both are."""

    def __init__(self) -> None:
        self.packets, self.addresses = np.zeros(_MOST, PACKET), np.zeros(_MOST, ADDRESS)
        self._vectors = np.zeros(_MOST, _VECTOR)
        self._vectors["base"], self._vectors["size"] = _pointers(self.packets), PACKET.itemsize
        self.messages = np.zeros(_MOST, _MESSAGE)
        self.messages["name"], self.messages["name_size"] = _pointers(self.addresses), ADDRESS.itemsize
        self.messages["vector"], self.messages["vector_size"] = _pointers(self._vectors), 1

    def from_message(self, number: int) -> ctypes.c_void_p:
        return ctypes.c_void_p(self.messages.ctypes.data + number * _MESSAGE.itemsize)


def _pointers(rows: NDArray[np.void]) -> NDArray[np.uint64]:
    return rows.ctypes.data + np.arange(len(rows), dtype=np.uint64) * np.uint64(rows.itemsize)


def _even_port(host: str) -> tuple[socket.socket, socket.socket]:
    """RTP on an even port and RTCP above it, which nobody reads (RFC 3550 §11)."""
    for _ in range(_PORT_ATTEMPTS):
        rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        rtcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        rtp.setblocking(False)
        try:
            rtp.bind((host, 0))
            port = rtp.getsockname()[1]
            if port % 2 == 0:
                rtcp.bind((host, port + 1))
                return rtp, rtcp
        except OSError:
            pass  # the odd port is taken
        rtp.close()
        rtcp.close()
    raise NotReady(f"No even UDP port is free on {host}.", remedy="Close other programs that use many UDP ports.")


def address_of(host: str, port: int) -> NDArray[np.void]:
    """One row for `RtpWire.send`."""
    row = np.zeros((), ADDRESS)
    row["family"], row["port"] = socket.AF_INET, port
    row["host"] = np.frombuffer(socket.inet_aton(host), np.uint8)
    return row
