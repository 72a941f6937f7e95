"""Settings of data protection: what is kept of calls, for how long, and what people are told of it."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from trunkline.phone_numbers import region
from trunkline.settings.section import Section

KEY_BYTES = 32


class NoticeSettings(Section):
    """`[privacy.notices]`: what people are told first; an agent's own, `[agents.NAME.notices]`, take their place."""

    text: str = Field("", max_length=1000)
    """Said first in every call, whoever speaks over it: that a machine speaks, say, and that the call is recorded;
    empty: nothing."""
    countries: dict[str, str] = Field(default_factory=dict)
    """Instead of it, by the country of the person's number (ISO 3166-1, as `DE`); an empty one says nothing there."""
    record_after: bool = True
    """The recording holds silence until it was said; false: it begins with the call."""

    @field_validator("countries")
    @classmethod
    def _countries(cls, texts: dict[str, str]) -> dict[str, str]:
        for code in texts:
            if not re.fullmatch(r"[A-Z]{2}", code):
                raise ValueError(f"{code!r} is no country: write two capital letters, as DE or US")
        return texts

    def text_for(self, number: str) -> str:
        """What is said to this person; empty: nothing. Of a number without a country it is `text`."""
        return self.countries.get(region(number) or "", self.text)


class PrivacySettings(Section):
    """`[privacy]`: what is kept of calls, for how long, and what of it can be read."""

    keep_recordings_days: float | None = Field(None, ge=0)
    """Days after a call's end in which its recording is kept; empty: for ever."""
    keep_transcripts_days: float | None = Field(None, ge=0)
    """The same of what was said and noted, and of the call's variables and script; empty: for ever."""
    keep_calls_days: float | None = Field(None, ge=0)
    """The same of the call itself, with all that is still there of it; empty: for ever."""
    numbers_afterwards: Literal["remove", "hash", "keep"] = "remove"
    """What becomes of the person's number when neither recording nor transcript is left."""
    hash_key: SecretStr | None = None
    """For `hash`: numbers are kept as a keyed hash (HMAC-SHA-256); 16 characters or more, and to be kept secret."""
    recording_key: SecretStr | None = None
    """Encrypts recordings (AES-256-GCM): 32 random bytes in base64, as `openssl rand -base64 32` makes them."""
    recording_key_file: Path | None = None
    """A file that holds this key, readable by its owner only, instead of `recording_key`."""
    old_recording_keys: tuple[SecretStr, ...] = ()
    """Keys of before, for reading what was encrypted with them."""
    mask_numbers: bool = True
    """Telephone numbers in the log are masked, as `+1415•••0123`."""
    notices: NoticeSettings = NoticeSettings()
    """What people are told first."""

    @field_validator("recording_key", "old_recording_keys")
    @classmethod
    def _keys(cls, keys: SecretStr | tuple[SecretStr, ...] | None) -> SecretStr | tuple[SecretStr, ...] | None:
        for key in keys if isinstance(keys, tuple) else (keys,):
            if key is not None:
                recording_key(key.get_secret_value())
        return keys

    @model_validator(mode="after")
    def _consistent(self) -> PrivacySettings:
        if self.numbers_afterwards == "hash" and len((self.hash_key or SecretStr("")).get_secret_value()) < 16:
            raise ValueError('numbers_afterwards = "hash" needs hash_key, 16 characters or more')
        if self.recording_key is not None and self.recording_key_file is not None:
            raise ValueError("recording_key and recording_key_file are two ways to say the same: set one of them")
        return self


def recording_key(written: str) -> bytes:
    """A key of recordings from its base64. Raises `ValueError`."""
    try:
        key = base64.b64decode(written.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("a key of recordings is 32 bytes in base64: `openssl rand -base64 32` makes one")
    return key
