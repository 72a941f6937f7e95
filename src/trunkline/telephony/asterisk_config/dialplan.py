"""extensions.conf: what an answered call runs through."""

from __future__ import annotations

from typing import Final

from trunkline.telephony.asterisk_config.sections import host_and_port

CALL_CONTEXT: Final = "trunkline-call"
CALL_EXTENSION: Final = "media"
ANSWER_EXTENSION: Final = "answer"
CALL_VARIABLE: Final = "TRUNKLINE_CALL"
"""Channel variable with the call's id, by which our AudioSocket server knows it."""
ARRIVAL_CONTEXT: Final = "from-twilio"
"""Where calls of the trunk come in. Leads to us and nowhere else."""
ARRIVED: Final = "arrived"
"""First argument of `Stasis()` for such a call."""
ARI_APP: Final = "trunkline"
NEXT_VARIABLE: Final = "TRUNKLINE_NEXT"
"""Channel variable with the endpoint a call is put through to when our media closes; `…_SECONDS`: how long it rings;
`…_REFER`: whom the carrier is asked to put them through to before that."""
JOIN_VARIABLE: Final = "TRUNKLINE_JOIN"
"""Channel variable with the bridge in which a call meets another one when our media closes."""
JOINED: Final = "joined"
"""First argument of `Stasis()` for such a call; the second is the bridge."""
REFERRED: Final = "REFERRED"
"""In place of Asterisk's DIALSTATUS: the carrier has put the person through, and the call has left us."""
QUEUE_CONTEXT: Final = "trunkline-queue"
"""Its extensions are names of queues."""
GONE_CONTEXT: Final = "trunkline-gone"
GONE_EVENT: Final = "TrunklineFarEndGone"


def contexts(audiosocket: str) -> str:
    """The contexts, without `[general]`. `audiosocket` is `host:port` of our server. Raises `SettingsError`."""
    return f"{arriving()} same = n,Hangup(42)\n\n{placed(audiosocket)}"


def arriving() -> str:
    """What calls of the trunk do first. Its last lines are missing: where we aren't there to take the call."""
    return (
        "; Calls come in: they ring until we say `answer`. Without us the carrier hears 503 and tries elsewhere.\n"
        f"[{ARRIVAL_CONTEXT}]\n"
        "exten = _[+0-9]!,1,Ringing()\n"
        f" same = n,Set(CHANNEL(hangup_handler_push)={GONE_CONTEXT},s,1)\n"
        f" same = n,Stasis({ARI_APP},{ARRIVED})\n"
    )


def placed(audiosocket: str) -> str:
    """What calls run through that are placed over ARI. `audiosocket` is `host:port`. Raises `SettingsError`."""
    host, port = host_and_port(audiosocket, 0)
    return (
        "; An answered call of ours: its channel's id is the call's id.\n"
        f"[{CALL_CONTEXT}]\n"
        f"exten = {ANSWER_EXTENSION},1,Answer()\n"
        f" same = n,Goto({CALL_EXTENSION},talk)\n"
        f"exten = {CALL_EXTENSION},1,Set({CALL_VARIABLE}=${{UNIQUEID}})\n"
        f" same = n(talk),AudioSocket(${{{CALL_VARIABLE}}},{host}:{port})\n"
        f' same = n,GotoIf($["${{{JOIN_VARIABLE}}}" != ""]?join)\n'
        f' same = n,GotoIf($["${{{NEXT_VARIABLE}}}" = ""]?over)\n'
        f" same = n,Set({NEXT_VARIABLE}_NOW=${{{NEXT_VARIABLE}}})\n"
        f" same = n,Set({NEXT_VARIABLE}=)\n"
        f' same = n,GotoIf($["${{{NEXT_VARIABLE}_REFER}}" = ""]?dial)\n'
        f" same = n,Transfer(${{{NEXT_VARIABLE}_REFER}})\n"
        f" same = n,Set({NEXT_VARIABLE}_REFER=)\n"
        ' same = n,GotoIf($["${TRANSFERSTATUS}" = "SUCCESS"]?referred)\n'
        f" same = n(dial),Dial(${{{NEXT_VARIABLE}_NOW}},${{{NEXT_VARIABLE}_SECONDS}},rg)\n"
        ' same = n,GotoIf($["${DIALSTATUS}" != "ANSWER"]?talk)\n'
        " same = n(over),Hangup(16)\n"
        f" same = n(referred),Set(DIALSTATUS={REFERRED})\n"
        " same = n,Hangup(16)\n"
        f" same = n(join),Stasis({ARI_APP},{JOINED},${{{JOIN_VARIABLE}}})\n"
        " same = n,Hangup(16)\n\n"
        "; Whom an agent asks, or puts somebody through to, may be a queue.\n"
        f"[{QUEUE_CONTEXT}]\n"
        "exten = _[0-9A-Za-z_]!,1,Queue(${FILTER(0-9A-Za-z_,${EXTEN})})\n"
        " same = n,Hangup()\n\n"
        "; Runs at the end of every call: ARI itself never tells the reason phrase of the carrier's answer.\n"
        "; It is the carrier's text, so it is encoded: a comma would otherwise become another argument.\n"
        f"[{GONE_CONTEXT}]\n"
        f"exten = s,1,UserEvent({GONE_EVENT},tech: ${{URIENCODE(${{HANGUPCAUSE(${{CHANNEL(name)}},tech)}})}},"
        "transfer: ${DIALSTATUS})\n"
        " same = n,Return()\n"
    )
