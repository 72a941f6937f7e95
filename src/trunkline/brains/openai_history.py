"""What was said in a call, as a model is told it: as far as it was heard, and as much as there is room for. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from trunkline.brains.openai_stream import ToolCall
from trunkline.models import Speaker, Turn
from trunkline.ports import PersonTurn

NOT_HEARD: Final = "[The person spoke before they had heard anything of your last answer.]"
CUT_OFF: Final = "[The person interrupted you; your last answer ends where they stopped hearing it.]"
NOTHING: Final = "[The person said something that could not be understood.]"
BEGIN: Final = "[The call begins: greet the person.]"
TAKEN_OVER: Final = "[You take the call over from a colleague, with what has been said so far: greet the person.]"
LEFT_OUT: Final = "[The beginning of the call is left out.]"


@dataclass(frozen=True, slots=True)
class Step:
    """What the model said, and the tools it used behind that."""

    words: str = ""
    calls: tuple[ToolCall, ...] = ()
    results: tuple[str, ...] = ()
    """Of the calls, in their order; shorter while they are on their way."""

    def messages(self) -> list[dict[str, Any]]:
        if not self.calls:
            return [{"role": "assistant", "content": self.words}] if self.words else []
        calls = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
            for call in self.calls
        ]
        # Each call needs its result, or the whole conversation is refused.
        results = [*self.results, *["[No result is known.]"] * (len(self.calls) - len(self.results))]
        return [
            {"role": "assistant", "content": self.words or None, "tool_calls": calls},
            *(
                {"role": "tool", "tool_call_id": call.id, "content": result}
                for call, result in zip(self.calls, results, strict=True)
            ),
        ]


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the person did, and the answer to it."""

    person: str
    """Empty where the agent spoke first, with words of our own."""
    steps: tuple[Step, ...] = ()

    def heard_as(self, heard: str) -> Exchange:
        """The same, with as many words of the answer as were heard."""
        left, steps = len(heard.split()), []
        for step in self.steps:
            words = step.words.split()
            steps.append(replace(step, words=" ".join(words[:left])))
            left = max(left - len(words), 0)
        return replace(self, steps=tuple(steps))

    def messages(self) -> list[dict[str, Any]]:
        person = [{"role": "user", "content": self.person}] if self.person else []
        return [*person, *(message for step in self.steps for message in step.messages())]

    @property
    def size(self) -> int:
        return sum(_size(message) for message in self.messages())


@dataclass(frozen=True, slots=True)
class History:
    """Never changed, only followed by others: a copy costs nothing."""

    exchanges: tuple[Exchange, ...] = field(default=())

    @classmethod
    def begun(cls, so_far: Sequence[Turn]) -> History:
        """Nothing is answered yet; somebody else may have spoken before."""
        history = cls((Exchange(BEGIN),))
        for turn in so_far:
            if turn.speaker is Speaker.AGENT:
                history = history.answered(*history.exchanges[-1].steps, Step(turn.text))
            else:
                history = cls((*history.exchanges, Exchange(turn.text or _pressed(turn.keys))))
        return cls((*history.exchanges, Exchange(TAKEN_OVER))) if so_far else history

    def asked(self, turn: PersonTurn) -> History:
        """The person's turn, behind what they heard of the answer before it."""
        before = self.exchanges
        if turn.heard is not None and before:
            before = (*before[:-1], before[-1].heard_as(turn.heard))
        return History((*before, Exchange(_told(turn))))

    def answered(self, *steps: Step) -> History:
        """The newest exchange has these steps."""
        last = self.exchanges[-1] if self.exchanges else Exchange("")
        return History((*self.exchanges[:-1], replace(last, steps=steps)))

    def messages(self, prompt: str, room: int) -> list[dict[str, Any]]:
        """Prompt, then what fits into `room` characters: the newest exchanges, and the last one always."""
        kept: list[Exchange] = []
        left = room
        for exchange in reversed(self.exchanges):
            left -= exchange.size
            if kept and left < 0:
                break
            kept.append(exchange)
        messages = [message for exchange in reversed(kept) for message in exchange.messages()]
        if len(kept) < len(self.exchanges):
            messages.insert(0, {"role": "user", "content": LEFT_OUT})
        return [{"role": "system", "content": prompt}, *_alternating(messages)]


def _told(turn: PersonTurn) -> str:
    """The turn in words; what happened beside words stands in brackets."""
    parts = [f"[{note}]" for note in turn.notes]
    if turn.heard is not None:
        parts.append(CUT_OFF if turn.heard else NOT_HEARD)
    if turn.keys:
        parts.append(_pressed(turn.keys))
    if turn.text or not turn.keys:
        parts.append(turn.text or NOTHING)
    return " ".join(parts)


def _pressed(keys: str) -> str:
    return f"[The person pressed the keys {keys}]"


def _alternating(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Words of the same side joined: the chat templates of many models take turns only."""
    joined: list[dict[str, Any]] = []
    for message in messages:
        last = joined[-1] if joined else {}
        if message["role"] == last.get("role") == "user":
            joined[-1] = {"role": "user", "content": f"{last['content']} {message['content']}"}
        else:
            joined.append(message)
    return joined


def _size(message: dict[str, Any]) -> int:
    calls = message.get("tool_calls") or ()
    return len(message.get("content") or "") + sum(len(str(call["function"])) for call in calls)
