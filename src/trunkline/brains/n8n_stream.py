"""A workflow's answer as bytes → what to say and do, as soon as it is known. Pure: bytes in, replies out.

The form shows in the first bytes (a multipart request gets no Content-Type back, and a declared one can be wrong):
one JSON value, lines of n8n's streaming protocol (`begin`, `item`, `end`, `error`), server-sent events, or plain text.
"""

from __future__ import annotations

import codecs
import json
from typing import Any, Final

from trunkline.brains.n8n_faults import FaultKind, N8nFault, of_text
from trunkline.brains.n8n_reply import Reply, replies
from trunkline.brains.spoken_stream import SpokenStream

LARGEST: Final = 1_000_000
"""Bytes of an answer that is no audio; a model's whole context has less."""
_CHUNKS: Final = frozenset({"begin", "item", "end", "error"})


def is_audio(head: bytes, content_type: str) -> bool | None:
    """Whether a body that begins so is audio; `None`: too little is known (fewer than 12 bytes). Bytes beat types."""
    if head.startswith((b"ID3", b"OggS", b"fLaC", b"RIFF", b"RIFX", b"FORM", b"caff", b"#!AMR", b"\x1aE\xdf\xa3")):
        return True
    if len(head) >= 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:  # MPEG audio, ADTS
        return True
    if head[4:8] == b"ftyp":
        return True
    if head.lstrip()[:1] in (b"{", b"[", b'"', b"<"):
        return False
    if len(head) < 12:
        return None
    return content_type.startswith("audio/") or b"\0" in head


class ReplyStream:
    """`feed` it the body, `finish` it at its end. Both raise `N8nFault` for what is no usable answer."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._json = json.JSONDecoder()
        self._words = SpokenStream()
        self._rest = ""
        self._form = self._undecided
        self._size = 0
        self._found = False

    def feed(self, data: bytes) -> list[Reply]:
        self._size += len(data)
        if self._size > LARGEST:
            raise N8nFault(FaultKind.TOO_LARGE)
        self._rest += self._decoder.decode(data)
        return self._note(self._form(last=False))

    def finish(self) -> list[Reply]:
        self._rest += self._decoder.decode(b"", final=True)
        found = self._note(self._form(last=True) + self._words.finish())
        if not self._found:
            raise N8nFault(FaultKind.UNKNOWN_REPLY if self._form == self._text and self._size else FaultKind.EMPTY)
        return found

    def _note(self, found: list[Reply]) -> list[Reply]:
        self._found = self._found or bool(found)
        return found

    # ── forms ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _undecided(self, *, last: bool) -> list[Reply]:
        text = self._rest.lstrip()
        if not text:
            return []
        if text[0] in '{["':
            self._form = self._values
        elif text.startswith(("data:", "event:", "id:", "retry:")):
            self._form = self._events
        else:
            self._form = self._text
        return self._form(last=last)

    def _values(self, *, last: bool) -> list[Reply]:
        """JSON values, one or many, with or without line ends between them."""
        found: list[Reply] = []
        while rest := self._rest.lstrip():
            # Until a bracket or a line closes, no value can be complete.
            if not last and "\n" not in rest and rest.rstrip()[-1] not in '}]"':
                break
            try:
                value, end = self._json.raw_decode(rest)
            except ValueError:
                if last:
                    return found + self._no_json(rest)
                break
            self._rest = rest[end:]
            found += self._value(value)
        return found

    def _no_json(self, rest: str) -> list[Reply]:
        if self._found or rest.startswith(('{"', "[{", "{\n", '["')):
            raise N8nFault(FaultKind.BROKEN_OFF)
        self._form = self._text
        return self._text(last=True)

    def _events(self, *, last: bool) -> list[Reply]:
        """Server-sent events: the data of each."""
        found: list[Reply] = []
        *lines, rest = self._rest.split("\n")
        self._rest = "" if last else rest
        for line in [*lines, rest] if last else lines:
            if not line.startswith("data:"):
                continue
            data = line.removeprefix("data:").strip()
            if data == "[DONE]":
                continue
            try:
                found += self._value(json.loads(data))
            except ValueError:
                found += self._words.feed(f"{data}\n")
        return found

    def _text(self, *, last: bool) -> list[Reply]:
        if last and (fault := of_text(self._rest)) is not None and not self._found and self._rest:
            raise N8nFault(fault)
        text, self._rest = self._rest, ""
        return self._words.feed(text)

    # ── values ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _value(self, value: Any) -> list[Reply]:
        if isinstance(value, dict) and value.get("type") in _CHUNKS:
            return self._chunk(value)
        return self._split(replies(value))

    def _chunk(self, chunk: dict[str, Any]) -> list[Reply]:
        content = chunk.get("content")
        match chunk["type"]:
            case "error":
                raise N8nFault(FaultKind.STREAM_ERROR)
            case "item" if isinstance(content, str):
                return self._split(self._words.feed(content))
            case "item" if content is not None:
                return self._split(replies(content))
            case "end":
                return self._split(self._words.finish())
        return []

    @staticmethod
    def _split(found: list[Reply]) -> list[Reply]:
        """Texts that came whole, sentence by sentence."""
        pieces: list[Reply] = []
        for reply in found:
            if reply.audio_url is not None or not reply.text:
                pieces.append(reply)
                continue
            words = SpokenStream()
            pieces += words.feed(reply.text) + words.finish()
        return pieces
