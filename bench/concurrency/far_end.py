"""The far end of the measured calls, a process of its own: answers every INVITE, talks, listens, measures.

Orders come as lines of JSON: `"open"` (an account, from now on) and `"report"`. The first line of output is what
`[trunk]` needs; then one line answers each order. Ends with its input.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from array import array
from dataclasses import asdict
from itertools import islice
from typing import Any

import numpy as np
import uvloop

from bench.concurrency.crowd import GROUPS, Crowd, Repertoire
from bench.concurrency.orders import obey, tell
from bench.concurrency.rtp_wire import RtpWire, address_of
from bench.concurrency.voices import background, fluent_speech
from trunkline.audio import FRAME_SECONDS
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.sip_agent import SipAgent
from trunkline.rehearsal.sip_call import AgentEvent, CallEnded, CallOffered, MediaMoved, SipCall
from trunkline.rehearsal.termination import Termination
from trunkline.settings import AsteriskSettings
from trunkline.sip import sdp
from trunkline.sip.digest import DigestGuard
from trunkline.sip.endpoint import SipEndpoint
from trunkline.sip.message import PeerAddress
from trunkline.sip.wire import UdpWire
from trunkline.telephony.asterisk_fetch import provide_sounds

HOST = "127.0.0.1"
LINES = 256
STEP_SECONDS = FRAME_SECONDS / GROUPS
SPEECH_SECONDS = (1.6, 2.6)
VARIETY = 24


class FarEnd:
    """Joins SIP and RTP, and keeps the time."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._wire = RtpWire(HOST)
        self._config = CarrierConfig(calls_per_second=None, concurrent_calls=None)
        self._lines: dict[SipCall, int] = {}
        self._lateness = array("f")
        self._dropped = 0
        self._endpoint: SipEndpoint[SipAgent]
        self._address: PeerAddress

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        wire = await UdpWire.open(HOST)
        self._address = wire.address
        guard = DigestGuard(self._config.realm, secrets.token_bytes(16), secrets.token_hex(8))
        agent = SipAgent(Termination(self._config, guard), {"udp": self._address}, lambda: secrets.token_hex(8))
        self._endpoint = SipEndpoint(agent, [wire], self._on_event)
        self._due = time.monotonic()
        self._group = 0
        loop.call_soon(self._step)

    @property
    def trunk(self) -> dict[str, object]:
        host, port = self._address
        password = self._config.password.get_secret_value()
        return {
            "host": self._config.host,
            "proxy": f"{host}:{port}",
            "username": self._config.username,
            "password": password,
            "caller_ids": ["+14155550100"],
        }

    async def open_account(self) -> None:
        self._crowd.open_account()
        self._lateness = array("f")
        self._dropped = self._wire.dropped

    async def report(self) -> dict[str, Any]:
        gaps, late = 1000 * np.array(self._crowd.gaps), 1000 * np.array(self._lateness)
        return {
            **asdict(self._crowd.account),
            "lines": self._crowd.active,
            "turns": len(gaps),
            "gap_ms_p50": _percentile(gaps, 50),
            "gap_ms_p95": _percentile(gaps, 95),
            "gap_ms_max": _percentile(gaps, 100),
            "far_end_late_ms_p99": _percentile(late, 99),
            "far_end_late_ms_max": _percentile(late, 100),
            "far_end_dropped": self._wire.dropped - self._dropped,
        }

    # ── SIP ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _on_event(self, event: AgentEvent) -> None:
        match event:
            case CallOffered(call):
                offer = call.accept.offer
                description = sdp.build(
                    HOST, self._wire.port, codec="ulaw", key_payload=offer.key_payload, session=secrets.randbits(31)
                )
                self._endpoint.act(lambda agent, now: agent.answer(call, description, now))
                self._lines[call] = self._crowd.join(address_of(offer.host, offer.port))
            case CallEnded(call, _):
                if (line := self._lines.pop(call, None)) is not None:
                    self._crowd.leave(line)
            case MediaMoved(call, _):
                raise RuntimeError(f"the call {call.call_id} moved its audio; nobody asked for that")
            case _:
                pass

    # ── RTP ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _step(self) -> None:
        """Every 5 ms: a quarter of the lines sends, and whatever has come is taken in."""
        now = time.monotonic()
        self._lateness.append(max(now - self._due, 0.0))
        if now - self._due > FRAME_SECONDS:  # no bursts: what was missed is shifted
            self._due = now
        self._due += STEP_SECONDS
        asyncio.get_running_loop().call_later(max(self._due - now, 0.0), self._step)
        self._wire_step()

    def _wire_step(self) -> None:
        packets, to = self._crowd.speak(self._group, time.time())
        self._group = (self._group + 1) % GROUPS
        self._crowd.account.unsent += len(packets) - self._wire.send(packets, to)
        while (received := self._wire.receive()) is not None:
            self._crowd.hear(received)

    def close(self) -> None:
        self._endpoint.close()
        self._wire.close()


def _percentile(values: np.ndarray[Any, np.dtype[Any]], share: float) -> float | None:
    return round(float(np.percentile(values, share)), 1) if len(values) else None


async def main() -> None:
    sounds = await provide_sounds(AsteriskSettings())
    said = list(islice(fluent_speech(sounds, *SPEECH_SECONDS), VARIETY))
    far_end = FarEnd(Crowd(Repertoire(said, background(5.0)), LINES))
    await far_end.start()
    tell(far_end.trunk)
    await obey({"open": far_end.open_account, "report": far_end.report})
    far_end.close()


if __name__ == "__main__":
    uvloop.run(main())
