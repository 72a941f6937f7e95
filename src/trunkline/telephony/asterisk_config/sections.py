"""The text of Asterisk's configuration files: sections of options, with every value written safely."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Final

from trunkline.errors import SettingsError

HEAD: Final = "; Written by Trunkline at every start: changes are lost.\n"

Options = Sequence[tuple[str, object]]
Section = tuple[str, Options] | tuple[str, Options, str]
"""Name, options and, where it isn't `=`, what stands between an option and its value."""

_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-]+)(?::(?P<port>\d{1,5}))?")
# A line end starts another setting, a backslash escapes what follows.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")


def sections(*parts: Section) -> str:
    """A whole file. Raises `SettingsError` when a value can't be written safely."""
    lines: list[str] = []
    for name, options, *arrow in parts:
        lines += ["", f"[{name}]", *(f"{key} {arrow[0] if arrow else '='} {written(value)}" for key, value in options)]
    return HEAD + "".join(f"{line}\n" for line in lines)


def written(value: object) -> str:
    """The value as Asterisk reads it back; refuses whatever could become another setting."""
    text = str(value)
    if _FORBIDDEN.search(text) or text != text.strip() or not text:
        raise SettingsError(
            "A value for Asterisk's configuration is empty or holds a line end, a backslash or outer blanks.",
            remedy="Correct the [asterisk] and [trunk] settings.",
        )
    return text.replace(";", "\\;")  # a bare semicolon starts a comment


def host_and_port(text: str, default_port: int) -> tuple[str, int]:
    """Splits `host[:port]` (an IPv6 address in brackets). Raises `SettingsError`."""
    match = _HOST.fullmatch(text)
    port = int(match["port"]) if match and match["port"] else default_port
    if match is None or not 0 < port < 65536:
        raise SettingsError(
            f"{text!r} is not host or host:port.", remedy="Write it as example.com or example.com:5060."
        )
    return match["host"], port


def socket_address(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ip_address(address).version == 6 else f"{address}:{port}"


def network(key: str, text: str) -> str:
    """A network as Asterisk reads it; `key` is the setting it comes from. Raises `SettingsError`."""
    try:
        return str(ip_network(text, strict=False))
    except ValueError as error:
        raise SettingsError(f"{key}: {text!r} is not a network.", remedy="Write it as 10.0.0.0/8.") from error
