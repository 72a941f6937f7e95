"""What can come back of a model's server instead of an answer: what it means and what to do. Pure.

Source: OpenAI's API reference (error codes); what compatible servers send in their place.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from trunkline.brains.faults import BrainFault


class ModelFaultKind(enum.StrEnum):
    """How a model failed; also the label in the metrics."""

    UNREACHABLE = "model-unreachable"
    TLS = "model-tls"
    KEY = "model-key"
    NOT_FOUND = "model-not-found"
    BAD_REQUEST = "model-bad-request"
    TOO_LONG = "model-context-full"
    RATE = "model-rate-limit"
    QUOTA = "model-quota"
    OVERLOADED = "model-overloaded"
    SERVER = "model-server-error"
    REDIRECT = "model-redirect"
    NO_COMPLETION = "model-no-completion"
    TIMEOUT = "model-timeout"
    STALLED = "model-stalled"
    BROKEN_OFF = "model-broken-off"
    STREAM_ERROR = "model-stream-error"
    EMPTY = "model-empty"
    FILTERED = "model-filtered"
    NOT_WORDS = "model-not-words"
    ONLY_TOOLS = "model-only-tools"


_K = ModelFaultKind
MEANING: Final[dict[ModelFaultKind, tuple[str, str]]] = {
    _K.UNREACHABLE: ("The model's server can't be reached.", "Check openai.base_url, and that the server runs."),
    _K.TLS: (
        "The model server's certificate is not accepted.",
        "Give it a valid certificate for that name, or name your own authority in SSL_CERT_FILE.",
    ),
    _K.KEY: (
        "The model's server refuses the key.",
        "Set openai.api_key (or OPENAI_API_KEY for OpenAI itself) to a key of a project that may use this model.",
    ),
    _K.NOT_FOUND: (
        "The model's server knows no such model or address.",
        "Check openai.model, and that openai.base_url ends where /chat/completions begins, often in /v1.",
    ),
    _K.BAD_REQUEST: (
        "The model's server refuses the request.",
        "Its message names the field: check openai.body, max_tokens, temperature and the tools' schemas.",
    ),
    _K.TOO_LONG: ("The conversation is longer than the model can read.", "Lower openai.history_characters."),
    _K.RATE: (
        "The model's server limits requests.",
        "Raise the account's limits, place fewer calls at a time, or switch openai.speculate off.",
    ),
    _K.QUOTA: ("The account at the model's server has no credit left.", "Add credit, or use another key."),
    _K.OVERLOADED: ("The model's server is overloaded.", "Try again later, or choose another model."),
    _K.SERVER: ("The model's server failed.", "Look at its log or its status page."),
    _K.REDIRECT: (
        "The address leads elsewhere, which is not followed.",
        "Set openai.base_url to the address it leads to (often https instead of http).",
    ),
    _K.NO_COMPLETION: (
        "Something else than a completion came back.",
        "See that openai.base_url leads to the model's server itself, without a login in between.",
    ),
    _K.TIMEOUT: (
        "The model took too long.",
        "Choose a faster model or less reasoning, or raise openai.answer_seconds.",
    ),
    _K.STALLED: (
        "The answer began and then stood still.",
        "Look at the server's load and the network, or raise openai.stall_seconds.",
    ),
    _K.BROKEN_OFF: (
        "The connection broke off in the middle of the answer.",
        "Look for a restart in the server's log, and for a time limit in a proxy.",
    ),
    _K.STREAM_ERROR: ("The model failed while its answer was on its way.", "Look at the server's log."),
    _K.EMPTY: (
        "The model's answer is empty.",
        "A model that thinks may have used up openai.max_tokens: raise it, or lower the effort in openai.body.",
    ),
    _K.FILTERED: (
        "The server's content filter held the answer back.",
        "Look at what was said in the transcript, and at the filter's settings.",
    ),
    _K.NOT_WORDS: (
        "The answer is nothing that could be said.",
        "Tell the model in openai.prompt that its words are spoken, without code and markup.",
    ),
    _K.ONLY_TOOLS: (
        "The model used tools again and again, and said nothing.",
        "Describe in openai.prompt when to use them, or raise openai.tool_rounds.",
    ),
}

LASTING: Final = frozenset({_K.TLS, _K.KEY, _K.NOT_FOUND, _K.BAD_REQUEST, _K.QUOTA, _K.REDIRECT, _K.NO_COMPLETION})
"""A set-up that is wrong: the next turn would fail in the same way."""
PASSING: Final = frozenset(
    {_K.UNREACHABLE, _K.RATE, _K.OVERLOADED, _K.SERVER, _K.BROKEN_OFF, _K.STREAM_ERROR, _K.EMPTY, _K.TOO_LONG}
)
"""May be well a moment later; and asking twice does no harm, as a completion has no effects."""


_FULL: Final = re.compile(r"context (?:length|window|size)|reduce the length|token count|too many tokens")
_BY_STATUS: Final = {
    401: _K.KEY,
    402: _K.QUOTA,
    403: _K.KEY,
    404: _K.NOT_FOUND,
    405: _K.NOT_FOUND,
    408: _K.OVERLOADED,
    429: _K.RATE,
    503: _K.OVERLOADED,
    529: _K.OVERLOADED,
}


class ModelFault(BrainFault):
    """A turn without a usable answer of the model."""

    kind: ModelFaultKind

    def __init__(self, kind: ModelFaultKind, detail: str = "", *, wait: float = 0.0) -> None:
        """`wait`: seconds after which the server wants to be asked again."""
        super().__init__(kind, MEANING[kind], detail, lasting=kind in LASTING)
        self.wait = wait


def of_status(status: int, headers: Mapping[str, str], body: bytes) -> ModelFault | None:
    """What a response's status says; `None` for success. Header names in lower case; `body` is its beginning."""
    if 200 <= status < 300:
        return None
    code, message = _error(body)
    detail = message or f"HTTP {status}"
    if 300 <= status < 400:
        detail = f"HTTP {status} to {headers.get('location', 'nowhere')[:100]}"
    return ModelFault(_kind(status, code, message.lower()), detail, wait=_wait(headers))


def _kind(status: int, code: str, message: str) -> ModelFaultKind:
    match status:
        case 429 if code in ("insufficient_quota", "billing_hard_limit_reached"):
            kind = _K.QUOTA
        case 400 | 413 if code == "context_length_exceeded" or _FULL.search(message):
            kind = _K.TOO_LONG
        case 400 if code == "content_filter":
            kind = _K.FILTERED
        case _ if 300 <= status < 400:
            kind = _K.REDIRECT
        case _ if status in _BY_STATUS:
            kind = _BY_STATUS[status]
        case _:
            kind = _K.SERVER if status >= 500 else _K.BAD_REQUEST
    return kind


def of_error(error: Any) -> ModelFault:
    """The `error` that comes inside a stream which began well."""
    code, message = _parts(error)
    if code in ("rate_limit_exceeded", "429"):
        return ModelFault(_K.RATE, message)
    return ModelFault(_K.STREAM_ERROR, message)


def _error(body: bytes) -> tuple[str, str]:
    """Code and message of OpenAI's error object, and of what others make of it; empty where there is none."""
    try:
        found: Any = json.loads(body)
    except ValueError:
        return "", ""
    if isinstance(found, list) and found:
        found = found[0]
    return _parts(found.get("error", found)) if isinstance(found, dict) else ("", "")


def _parts(error: Any) -> tuple[str, str]:
    if not isinstance(error, dict):
        return "", " ".join(str(error).split())[:200] if isinstance(error, str) else ""
    message = error.get("message") or error.get("detail") or ""
    return str(error.get("code") or error.get("type") or ""), " ".join(str(message).split())[:200]


def _wait(headers: Mapping[str, str]) -> float:
    """Seconds of `Retry-After` (RFC 9110 §10.2.3); a date counts as long."""
    milliseconds, seconds = headers.get("retry-after-ms", ""), headers.get("retry-after", "")
    if milliseconds.replace(".", "", 1).isdigit():
        return float(milliseconds) / 1000
    if seconds.replace(".", "", 1).isdigit():
        return float(seconds)
    return 60.0 if seconds else 0.0
