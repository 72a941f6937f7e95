"""Words as a model writes them, in any pieces → what can be spoken or done now: whole sentences, and marks. Pure.

A mark is a line of its own or stands in brackets: `hangup`, `[hangup]`, `transfer: +14155550100`, `[dtmf: 12#]`.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from trunkline.brains.n8n_faults import N8nFault, of_text
from trunkline.brains.n8n_reply import DIGITS, Reply, replies, unfenced
from trunkline.brains.templates import sentences

_LONGEST: Final = 400
"""Characters without the end of a sentence before they are cut at a clause."""
_LONGEST_MARK: Final = 120
_UNSAID: Final = re.compile(r"```.*?```|<think>.*?</think>", re.DOTALL)
_UNSAID_BEGINS: Final = re.compile(r"```|<think>|<(?:t(?:h(?:i(?:nk?)?)?)?)?$|``?$")
_VALUE: Final = r"[+0-9*#A-DW() .,-]*?|true"
_LINE: Final = re.compile(
    rf"[\s\[<{{(*_`\"]*(hang[_-]?up|transfer|dtmf)(?:\s*\"?\s*[:=(]\s*\"?({_VALUE}))?[\s\]>}})*_`\".]*", re.I
)
_INLINE: Final = re.compile(rf"\[\[?\s*(hang[ _-]?up|transfer|dtmf)(?:[\s:=(]+({_VALUE}))?\s*\)?\s*\]\]?", re.I)
_LIST_NUMBER: Final = re.compile(r"^\s*(?:\d{1,2}|[a-z])[.)]$", re.I)
_JSON_BEGINS: Final = re.compile(r'\{\s*(?:"|$|\})|\[\s*(?:[{"]|$)')


class SpokenStream:
    """`feed` it pieces, `finish` it at the end; both give what has become complete. Raises `N8nFault` for words that
    are an error's.
    """

    def __init__(self) -> None:
        self._rest = ""
        self._checked = False

    def feed(self, piece: str) -> list[Reply]:
        self._rest += piece
        return self._take(last=False)

    def finish(self) -> list[Reply]:
        found = self._take(last=True)
        self._rest = ""
        return found

    def _take(self, *, last: bool) -> list[Reply]:
        found: list[Reply] = []
        while (taken := self._next(last=last)) is not None:
            found += taken
        return found

    def _next(self, *, last: bool) -> list[Reply] | None:
        """What the beginning of the rest is, which is then taken off; `None`: more has to come."""
        text = self._rest.lstrip()
        if not text:
            return None
        if _JSON_BEGINS.match(fenced := unfenced(text)) or text.startswith("```json"):
            value = _parsed(fenced)
            if value is not None:
                self._rest = ""
                return replies(value)
            if not last:
                return self._line_of_json(text)
        text = _UNSAID.sub(" ", text)
        hidden = _UNSAID_BEGINS.search(text)
        said, held = (text[: hidden.start()], text[hidden.start() :]) if hidden else (text, "")
        return self._last(said) if last else self._first(said, held)

    def _first(self, said: str, held: str) -> list[Reply] | None:
        """The first line, or the sentences before the last one, which may still grow."""
        line, end, rest = said.partition("\n")
        if end:
            self._rest = rest + held
            return self._line(line)
        pieces = _split(said)
        if len(pieces) < 2:
            return None
        self._rest = pieces[-1] + said[len(said.rstrip()) :] + held
        return [reply for piece in pieces[:-1] for reply in self._spoken(piece)]

    def _line_of_json(self, text: str) -> list[Reply] | None:
        """JSON in a line of its own, with more behind it."""
        line, end, rest = text.partition("\n")
        value = _parsed(line) if end else None
        if value is None:
            return None
        self._rest = rest
        return replies(value)

    def _last(self, text: str) -> list[Reply]:
        self._rest = ""
        return [reply for line in text.split("\n") for reply in self._line(line)]

    def _line(self, line: str) -> list[Reply]:
        mark = _LINE.fullmatch(line) if len(line) <= _LONGEST_MARK else None
        if mark is not None and (reply := _of_mark(mark)) is not None:
            return [reply]
        return [reply for piece in _split(line) for reply in self._spoken(piece)]

    def _spoken(self, text: str) -> list[Reply]:
        """A sentence: its words, then its marks."""
        if not self._checked and text.strip():
            if (fault := of_text(text)) is not None:
                raise N8nFault(fault)
            self._checked = True
        marks = [reply for match in _INLINE.finditer(text) if (reply := _of_mark(match)) is not None]
        words = re.sub(r"\s+(?=[.!?,]|$)", "", _INLINE.sub("", text)).strip()
        if not any(character.isalnum() for character in words):
            return marks
        return [Reply(words), *marks]


def _split(text: str) -> list[str]:
    """Sentences; what is too long is cut at clauses, else at words. A list's number stays with its item."""
    joined: list[str] = []
    for sentence in sentences(text):
        if joined and _LIST_NUMBER.match(joined[-1]):
            joined[-1] += f" {sentence}"
        else:
            joined.append(sentence)
    return [piece for sentence in joined for piece in _short_enough(sentence)]


def _short_enough(sentence: str) -> list[str]:
    parts: list[str] = []
    while len(sentence) > _LONGEST:
        head = sentence[:_LONGEST]
        cut = max(head.rfind(", "), head.rfind("; "), head.rfind(": ")) + 1
        cut = cut if cut > _LONGEST // 4 else head.rfind(" ") + 1 or _LONGEST
        parts.append(sentence[:cut].strip())
        sentence = sentence[cut:].strip()
    return [*parts, sentence] if sentence else parts


def _of_mark(match: re.Match[str]) -> Reply | None:
    what, value = match[1].lower(), (match[2] or "").strip()
    if what == "transfer":
        return Reply(transfer=value) if re.search(r"\d", value) else None
    if what == "dtmf":
        digits = value.replace(" ", "")
        return Reply(keys=digits) if DIGITS.fullmatch(digits) else None
    return Reply(hang_up=True) if value.lower() in ("", "true") else None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
