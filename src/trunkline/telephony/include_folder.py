"""Settings to the files of an include folder: what an Asterisk of one's own gets of us. Pure.

Everything in it has a name of ours, so that nothing of the owner's is overwritten; contexts that dial out are reached
from no context that takes calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from trunkline.errors import SettingsError
from trunkline.settings import DEFAULT_AGENT, Settings
from trunkline.telephony.asterisk_config import (
    ARI_USER,
    ARRIVAL_CONTEXT,
    NEXT_VARIABLE,
    TRUNK_ENDPOINT,
    dial_string,
    dialplan,
)
from trunkline.telephony.asterisk_config.carriers import as_sent
from trunkline.telephony.asterisk_config.pjsip import sip_address_sections, trunk_sections
from trunkline.telephony.asterisk_config.sections import Options, Section, host_and_port, sections, written
from trunkline.telephony.asterisk_config.transports import Listening, TlsFiles, transport_name, transports

FOLDER: Final = "trunkline"
"""Name of the folder beside pjsip.conf."""
NAMES: Final = ("pjsip.conf", "extensions.conf", "ari.conf", "manager.conf")
"""Files of the folder, each for the file of the same name beside it."""
TO_TRUNK: Final = "trunkline-pstn"
"""Context that dials out."""
AGENT: Final = "trunkline-ai-"
"""With an agent's name behind it: the context that hands a call to that agent."""
HAND_OVER: Final = "trunkline-hand-over"
NEXT: Final = "trunkline-next"
TRANSFER: Final = "trunkline-transfer"
"""The owner's: which numbers an agent may put people through to."""

_HEAD: Final = "; Written by `trunkline pbx install`: changes are lost at the next one.\n"
_NUMBER: Final = "${FILTER(0-9,${EXTEN})}"
_CALLER: Final = "x${FILTER(+0-9,${CALLERID(num)})}"
"""Told apart by a letter in front: two numbers would be compared as numbers, and +1 is 1."""


@dataclass(frozen=True, slots=True)
class Guest:
    """What is put into somebody's Asterisk."""

    settings: Settings
    agi: str
    """`host:port` of the AGI door, as that Asterisk reaches it."""
    audiosocket: str
    """`host:port` of our AudioSocket server, likewise."""
    password: str = field(repr=False)
    """Of our user in ARI and the manager interface."""
    tls: TlsFiles
    """For a transport of ours, on a secure trunk."""
    transport: str | None = None
    """Name of the owner's transport that the trunk uses; `None`: one of ours."""
    permit: tuple[str, ...] = ()
    """IPv4 networks beside that machine itself from which our user may use the manager interface."""


def render_folder(guest: Guest) -> dict[str, str]:
    """Every file by name. Raises `SettingsError` when something is missing or can't be written safely."""
    trunk = guest.settings.trunk
    if trunk.host is None:
        raise SettingsError("There is no trunk.", remedy="Set trunk.host.")
    if not trunk.caller_ids:
        raise SettingsError(
            "No caller ID is known, and a carrier refuses calls without one.",
            remedy="Set trunk.caller_ids to numbers you bought or verified.",
        )
    user: Options = [("type", "user"), ("read_only", "no"), ("password", guest.password)]
    manager: Options = [
        ("secret", guest.password),
        ("deny", "0.0.0.0/0.0.0.0"),
        ("permit", "127.0.0.1/255.255.255.255"),
        *(("permit", network) for network in guest.permit),
        ("read", "call"),
        ("write", "call,reporting"),
    ]
    return {
        "pjsip.conf": _file(_pjsip(guest)),
        "extensions.conf": _HEAD
        + "\n"
        + "\n".join([*_agents(guest), _from_trunk(guest), _to_trunk(guest), dialplan.placed(guest.audiosocket)]),
        "ari.conf": _file([(ARI_USER, user)]),
        "manager.conf": _file([(ARI_USER, manager)]),
    }


def listening(settings: Settings) -> Listening:
    """Where the transport takes SIP that we bring where the owner has none that fits."""
    asterisk = settings.asterisk
    port = asterisk.sip_port or (5061 if settings.trunk.secure else 5060)
    return Listening(asterisk.address or "0.0.0.0", port, asterisk.external_address, asterisk.local_nets)


def _file(parts: Sequence[Section]) -> str:
    return _HEAD + sections(*parts).partition("\n")[2]


def _pjsip(guest: Guest) -> Sequence[Section]:
    """The trunk as the private Asterisk has it, by a transport of the owner's where there is one that fits."""
    trunk = guest.settings.trunk
    place = listening(guest.settings)
    own = transport_name(trunk)
    parts = list(trunk_sections(trunk, place.address))
    if any(transfer.sip_host for transfer in guest.settings.transfers.values()):
        parts += sip_address_sections(trunk, place.address)
    if guest.transport is None:
        parts = [part for part in transports(trunk, place, guest.tls) if part[0] == own] + parts
    theirs = guest.transport or own
    return [(name, [(key, theirs if key == "transport" else value) for key, value in part]) for name, part in parts]


def _agents(guest: Guest) -> Sequence[str]:
    """What hands calls to agents: a context for each of them, and one for answered calls that were placed."""
    host, port = host_and_port(guest.agi, 0)
    agents = guest.settings.agents
    first = DEFAULT_AGENT if DEFAULT_AGENT in agents else next(iter(agents))
    placed = f"Gosub({HAND_OVER},s,1({first},direction=outbound"
    return [
        "; Hands the call to the agent named by the first argument, or, without one, to who answers by [incoming];\n"
        "; returns when the agent is done, or there is none.\n"
        f"[{HAND_OVER}]\n"
        f"exten = s,1,AGI(agi://{host}:{port}/${{ARG1}}?${{ARG2}})\n"
        ' same = n,GotoIf($["${AGISTATUS}" = "SUCCESS"]?done)\n'
        f" same = n,Verbose(0,No agent at agi://{host}:{port}/${{ARG1}} (${{AGISTATUS}}): does trunkline serve run?)\n"
        " same = n(done),Return()\n",
        f"; The agent asked for a transfer: a context of your own, [{TRANSFER}], says where that may go.\n"
        f"[{NEXT}]\n"
        f'exten = s,1,GotoIf($["${{{NEXT_VARIABLE}}}" = ""]?over)\n'
        f" same = n,Goto({TRANSFER},${{FILTER(+0-9,${{{NEXT_VARIABLE}}})}},1)\n"
        " same = n(over),Hangup()\n",
        "; An answered call that was placed, with the number that was called as extension, or `s`.\n"
        f"[{DEFAULT_AGENT}]\n"
        f"exten = s,1,{placed}))\n"
        f" same = n,Goto({NEXT},s,1)\n"
        f"exten = _[+0-9]!,1,{placed}&number=${{URIENCODE(${{FILTER(+0-9,${{EXTEN}})}})}}))\n"
        f" same = n,Goto({NEXT},s,1)\n",
        *(
            f"[{AGENT}{name}]\nexten = s,1,Gosub({HAND_OVER},s,1({name}))\n same = n,Goto({NEXT},s,1)\n"
            for name in agents
        ),
    ]


def _from_trunk(guest: Guest) -> str:
    """To a service that is attached over ARI calls come that way, where all it can do with a call can be done with
    them; by AGI otherwise, and while ARI is cut.
    """
    if guest.settings.asterisk.mode == "external":
        return (
            f"{dialplan.arriving()}"
            ' same = n,GotoIf($["${STASISSTATUS}" = "FAILED"]?cut)\n'
            " same = n,Hangup(42)\n"
            f" same = n(cut),Gosub({HAND_OVER},s,1())\n"
            f" same = n,Goto({NEXT},s,1)\n"
        )
    return (
        "; Calls from the trunk: who answers is said by [incoming]. Nothing here dials out.\n"
        f"[{ARRIVAL_CONTEXT}]\n"
        f"exten = _[+0-9]!,1,Gosub({HAND_OVER},s,1())\n"
        f" same = n,Goto({NEXT},s,1)\n"
    )


def _to_trunk(guest: Guest) -> str:
    """Only E.164 numbers; whatever else is in the dialled string is filtered out, as is a foreign caller ID."""
    trunk = guest.settings.trunk
    target = dial_string(trunk, f"+{_NUMBER}").partition("/sip:")[2]
    lines = [f' same = n,GotoIf($["{_CALLER}" = "x{as_sent(trunk, number)}"]?known)\n' for number in trunk.caller_ids]
    return (
        f"; Dials out: include it, or go to it, only from contexts of your own phones.\n"
        f"[{TO_TRUNK}]\n"
        "exten = _+[1-9]XXXXXX!,1,NoOp()\n"
        f"{''.join(lines)}"
        f" same = n,Set(CALLERID(num)={written(as_sent(trunk, trunk.caller_ids[0]))})\n"
        " same = n(known),Set(CALLERID(name)=)\n"
        " same = n,Set(CALLERID(num-pres)=allowed_not_screened)\n"
        f" same = n,Dial(PJSIP/{TRUNK_ENDPOINT}/sip:{written(target)},{trunk.ring_timeout:.0f})\n"
        " same = n,Hangup()\n"
    )
