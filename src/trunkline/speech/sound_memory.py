"""Sounds that were made lately: fillers, greetings and farewells are said again and again."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from trunkline.audio import bytes_of

_REMEMBERED_LENGTH: Final = bytes_of(8.0)
_REMEMBERED_BYTES: Final = 8_000_000

Key = tuple[str, str, float]
"""Text, voice, speed."""


class SoundMemory:
    """Least recently used audio, bounded in bytes."""

    def __init__(self) -> None:
        self._sounds: OrderedDict[Key, bytes] = OrderedDict()
        self._size = 0

    def get(self, key: Key) -> bytes | None:
        if key in self._sounds:
            self._sounds.move_to_end(key)
        return self._sounds.get(key)

    def put(self, key: Key, sound: bytes) -> None:
        if len(sound) > _REMEMBERED_LENGTH or key in self._sounds:
            return
        self._sounds[key] = sound
        self._size += len(sound)
        while self._size > _REMEMBERED_BYTES:
            _, dropped = self._sounds.popitem(last=False)
            self._size -= len(dropped)
