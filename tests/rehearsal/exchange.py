"""A SIP agent of the carrier without network and clock: a caller's datagrams go in, what comes out is read back."""

from __future__ import annotations

import itertools

from sipmessage import Message, Request, Response

from tests.rehearsal.sip_caller import Wording, new_branch
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.sip_agent import SipAgent
from trunkline.rehearsal.sip_call import AgentEvent, CallOffered, SipCall
from trunkline.rehearsal.termination import Termination
from trunkline.rehearsal.trunk_rules import TrunkBook
from trunkline.sip import sdp
from trunkline.sip.digest import DigestGuard, authorization, parse_parameters
from trunkline.sip.message import PeerAddress, Transport

ADDRESS = ("127.0.0.1", 5070)
ADDRESSES: dict[Transport, PeerAddress] = {"udp": ADDRESS, "tcp": ("127.0.0.1", 5071), "tls": ("127.0.0.1", 5072)}
ANSWER = sdp.build("127.0.0.1", 41000, codec="ulaw", key_payload=101, session=1)


class Exchange:
    """One agent and one caller; `now` is moved by hand."""

    def __init__(
        self, config: CarrierConfig | None = None, wording: Wording | None = None, trunks: TrunkBook | None = None
    ) -> None:
        config = config or CarrierConfig(username=None)
        numbers = itertools.count(0x1000000000000000)
        guard = DigestGuard(config.realm, b"secret", "opaque")
        self.agent = SipAgent(Termination(config, guard, trunks), ADDRESSES, lambda: f"{next(numbers):x}")
        self.now = 1000.0
        self.wording = wording or Wording()
        self.source: PeerAddress = self.wording.address
        self.transport: Transport = "udp"
        self.answer: Response

    def send(self, datagram: bytes) -> list[Request | Response]:
        """What the agent sends at once in return."""
        self.agent.receive(datagram, self.source, self.now, self.transport)
        return self.sent()

    def sent(self) -> list[Request | Response]:
        return [Message.parse(datagram.data) for datagram in self.agent.drain(self.now)]

    def codes(self, datagram: bytes) -> list[int]:
        return codes(self.send(datagram))

    def after(self, seconds: float) -> list[Request | Response]:
        """Let time pass, waking the agent whenever it wants; everything it sent meanwhile."""
        until, sent = self.now + seconds, list[Request | Response]()
        while (deadline := self.agent.deadline) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.agent.expire(self.now)
            sent += self.sent()
        self.now = until
        return sent

    def events(self) -> list[AgentEvent]:
        events = list(self.agent.events)
        self.agent.events.clear()
        return events

    # ── the caller ─────────────────────────────────────────────────────────────────────────────────────────────

    def invite(self, *, branch: str = "z9hG4bKfirst", sequence: int = 1, headers: tuple[str, ...] = ()) -> bytes:
        return self.wording.request("INVITE", sequence, branch, headers=headers)

    def invite_with_password(self, username: str = "trunk", password: str = "rehearsal-Password-1") -> bytes:
        """The second INVITE, after the challenge of a first one."""
        branch = new_branch()
        challenge = self.send(self.invite(branch=branch))[-1]
        self.send(self.wording.request("ACK", 1, branch, to_tag=tag_of(challenge)))
        asked = parse_parameters(challenge.headers["Proxy-Authenticate"])
        proof = authorization(asked, username=username, password=password, method="INVITE", uri=self.wording.uri)
        return self.invite(branch=new_branch(), sequence=2, headers=(f"Proxy-Authorization: {proof}",))

    def offered(self) -> SipCall:
        """A call that reached a phone."""
        assert self.codes(self.invite()) == [100]
        (event,) = self.events()
        assert isinstance(event, CallOffered)
        return event.call

    def answered(self) -> SipCall:
        """A call that was answered; its ACK is still to come."""
        call = self.offered()
        self.agent.answer(call, ANSWER, self.now)
        (answer,) = self.sent()
        assert isinstance(answer, Response)
        self.answer = answer
        return call

    def confirmed(self) -> SipCall:
        call = self.answered()
        self.send(self.within("ACK", 1))
        self.events()
        return call

    def within(
        self,
        method: str,
        sequence: int,
        *,
        routed: bool = True,
        uri: str = "",
        body: bytes | None = None,
        headers: tuple[str, ...] = (),
    ) -> bytes:
        """A request of the caller inside the dialog."""
        routes = tuple(f"Route: {value}" for value in self.answer.headers.getlist("Record-Route")) if routed else ()
        return self.wording.request(
            method,
            sequence,
            new_branch(),
            uri=uri or str(self.answer.contact[0].uri),
            to_tag=tag_of(self.answer),
            headers=(*routes, *headers),
            body=body,
        )


def codes(messages: list[Request | Response]) -> list[int]:
    return [message.code for message in messages if isinstance(message, Response)]


def methods(messages: list[Request | Response]) -> list[str]:
    return [message.method for message in messages if isinstance(message, Request)]


def tag_of(message: Request | Response) -> str:
    return message.to_address.parameters.get("tag") or ""
