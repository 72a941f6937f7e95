"""What can come back of a workflow instead of an answer: every kind of failure, what it means and what to do. Pure."""

from __future__ import annotations

import enum
import json
import re
from typing import Any, Final

from trunkline.brains.faults import BrainFault


class FaultKind(enum.StrEnum):
    """How a workflow failed; also the label in the metrics."""

    UNREACHABLE = "unreachable"
    TLS = "tls"
    STARTING = "starting"
    NOT_ACTIVE = "not-active"
    TEST_ADDRESS = "test-address"
    NOT_FOUND = "not-found"
    FORBIDDEN = "forbidden"
    BAD_REQUEST = "bad-request"
    BUSY = "busy"
    WORKFLOW_FAILED = "workflow-failed"
    NO_RESPOND_NODE = "no-respond-node"
    ANSWERS_AT_ONCE = "answers-at-once"
    EMPTY = "empty"
    HTML = "html"
    REDIRECT = "redirect"
    GATEWAY = "gateway"
    HTTP = "http"
    TIMEOUT = "timeout"
    STALLED = "stalled"
    BROKEN_OFF = "broken-off"
    STREAM_ERROR = "stream-error"
    ERROR_TEXT = "error-text"
    UNKNOWN_REPLY = "unknown-reply"
    BAD_AUDIO = "bad-audio"
    TOO_LARGE = "too-large"


MEANING: Final[dict[FaultKind, tuple[str, str]]] = {
    FaultKind.UNREACHABLE: ("n8n can't be reached.", "Start n8n, and check the host and port of n8n.webhook_url."),
    FaultKind.TLS: (
        "n8n's certificate is not accepted.",
        "Give n8n a valid certificate for that name, or name your own authority in SSL_CERT_FILE.",
    ),
    FaultKind.STARTING: ("n8n is still starting.", "Wait until the webhook answers; nothing else is wrong."),
    FaultKind.NOT_ACTIVE: (
        "The workflow isn't active, or has no such webhook.",
        "Switch the workflow to Active (Publish), and copy the Production URL of its Webhook node, which takes POST.",
    ),
    FaultKind.TEST_ADDRESS: (
        "This is the webhook's test address, which answers once, and only while the editor listens.",
        "Use the Production URL of the Webhook node (/webhook/ instead of /webhook-test/) and activate the workflow.",
    ),
    FaultKind.NOT_FOUND: (
        "There is nothing at this address.",
        "Copy the Production URL of the Webhook node to n8n.webhook_url.",
    ),
    FaultKind.FORBIDDEN: (
        "n8n refuses the credentials.",
        "Set n8n.auth_header and n8n.auth_value to what the Webhook node's authentication asks for.",
    ),
    FaultKind.BAD_REQUEST: (
        "n8n refuses the request as malformed or too large.",
        "Check that a POST with a file of 320 kB is let through (N8N_PAYLOAD_SIZE_MAX, the proxy's body limit).",
    ),
    FaultKind.BUSY: ("n8n or its proxy limits requests.", "Raise the limit, or place fewer calls at a time."),
    FaultKind.WORKFLOW_FAILED: (
        "The workflow failed.",
        "Open the workflow's Executions: the red node says why. Give it an error output that still answers.",
    ),
    FaultKind.NO_RESPOND_NODE: (
        "The workflow has no Respond to Webhook node.",
        "Add one, or set the Webhook node's Respond to When Last Node Finishes.",
    ),
    FaultKind.ANSWERS_AT_ONCE: (
        "The webhook answers at once, before the workflow has run.",
        "Set the Webhook node's Respond to Using 'Respond to Webhook' Node.",
    ),
    FaultKind.EMPTY: (
        "The workflow's answer is empty.",
        "See that every branch reaches a Respond to Webhook node with text_response or audio_url.",
    ),
    FaultKind.HTML: (
        "A web page came instead of an answer, probably of a proxy or a login.",
        "See that n8n.webhook_url leads to n8n itself, without a login in between.",
    ),
    FaultKind.REDIRECT: (
        "The address leads elsewhere, which is not followed.",
        "Set n8n.webhook_url to the address it leads to (often https instead of http).",
    ),
    FaultKind.GATEWAY: (
        "The proxy in front of n8n got no answer from it.",
        "Check that n8n runs, and raise the proxy's time limit above the workflow's duration.",
    ),
    FaultKind.HTTP: ("n8n answers with an unexpected status.", "Its log and the workflow's Executions say why."),
    FaultKind.TIMEOUT: (
        "The workflow took too long.",
        "Look in the workflow's Executions for the slow node, stream the answer, or raise n8n.answer_seconds.",
    ),
    FaultKind.STALLED: (
        "The answer began and then stood still.",
        "Look at the model's and the network's load, or raise n8n.stall_seconds.",
    ),
    FaultKind.BROKEN_OFF: (
        "The connection broke off in the middle of the answer.",
        "Look for a restart or a crash in n8n's log, and for a time limit in a proxy.",
    ),
    FaultKind.STREAM_ERROR: (
        "The workflow failed while its answer was on its way.",
        "Open the workflow's Executions: the red node says why.",
    ),
    FaultKind.ERROR_TEXT: (
        "The answer is an error message, not something to say.",
        "See which node writes it; catch its error and answer with a sentence.",
    ),
    FaultKind.UNKNOWN_REPLY: (
        "The answer holds nothing that can be said.",
        "Answer with text_response or audio_url, for example.",
    ),
    FaultKind.BAD_AUDIO: (
        "The audio of the answer can't be played.",
        "See that the address is reachable without a login and holds WAV, MP3, OGG, FLAC or M4A.",
    ),
    FaultKind.TOO_LARGE: ("The answer is far too large.", "Answer with a sentence or two."),
}

NEVER_RAN: Final = frozenset({FaultKind.UNREACHABLE, FaultKind.STARTING})
"""The request surely started no workflow: it may be sent again."""
LASTING: Final = frozenset(
    {
        FaultKind.TLS,
        FaultKind.NOT_ACTIVE,
        FaultKind.TEST_ADDRESS,
        FaultKind.NOT_FOUND,
        FaultKind.FORBIDDEN,
        FaultKind.NO_RESPOND_NODE,
        FaultKind.ANSWERS_AT_ONCE,
        FaultKind.REDIRECT,
    }
)
"""A set-up that is wrong: the next turn would fail in the same way."""


class N8nFault(BrainFault):
    """A turn without a usable answer."""

    kind: FaultKind

    def __init__(self, kind: FaultKind, detail: str = "") -> None:
        super().__init__(kind, MEANING[kind], detail, lasting=kind in LASTING, never_ran=kind in NEVER_RAN)


def of_status(status: int, body: bytes, location: str = "") -> N8nFault | None:
    """What a response's status says; `None` for success. `body` is its beginning, `location` where it leads."""
    if 200 <= status < 300:
        return None
    text = body.decode("utf-8", "replace")
    message = _message(text)
    kind, detail = FaultKind.HTTP, f"HTTP {status}"
    match status:
        case _ if 300 <= status < 400:
            kind, detail = FaultKind.REDIRECT, f"HTTP {status} to {location[:100] or 'nowhere'}"
        case 401 | 403:
            kind = FaultKind.FORBIDDEN
        case 404 if message is None:
            kind = FaultKind.NOT_FOUND
        case 404 | 405:
            test = "webhook-test" in text or "test" in str(message).lower() or "Execute workflow" in text
            kind, detail = FaultKind.TEST_ADDRESS if test else FaultKind.NOT_ACTIVE, message or detail
        case 429:
            kind = FaultKind.BUSY
        case 502 | 503 | 504 | 520 | 521 | 522 | 523 | 524:
            kind = FaultKind.STARTING if _STARTING.search(text) else FaultKind.GATEWAY
        case _ if 400 <= status < 500:
            kind = FaultKind.BAD_REQUEST
        case _ if message and "respond to webhook" in message.lower():
            kind = FaultKind.NO_RESPOND_NODE
        case 500:
            kind, detail = FaultKind.WORKFLOW_FAILED, message or detail
    return N8nFault(kind, detail)


def of_text(text: str) -> FaultKind | None:
    """Whether words that came as an answer are none: a page, an error, n8n's own remarks."""
    if not text.strip():
        return FaultKind.EMPTY
    if _STARTING.search(text):
        return FaultKind.STARTING
    if _AT_ONCE.match(text):
        return FaultKind.ANSWERS_AT_ONCE
    if _NO_NODE.search(text):
        return FaultKind.NO_RESPOND_NODE
    if _HTML.search(text):
        return FaultKind.HTML
    return FaultKind.ERROR_TEXT if _ERROR.search(text) else None


def _message(text: str) -> str | None:
    """The message of n8n's JSON errors; `None` for what is no such JSON."""
    try:
        found: Any = json.loads(text)
    except ValueError:
        return None
    return str(found.get("message", "")) if isinstance(found, dict) else None


_STARTING: Final = re.compile(r"n8n is starting up", re.I)
_AT_ONCE: Final = re.compile(r"\s*workflow (?:was|got) started\.?\s*$", re.I)
_NO_NODE: Final = re.compile(r"No Respond to Webhook node found|unused Respond to Webhook node", re.I)
_HTML: Final = re.compile(r"<!doctype|<\?xml|<(?:html|head|body|title|script|style|center|meta)\b", re.I)
_ERROR: Final = re.compile(
    r"""^\s*(?:
        (?:[\w.]*(?:Error|Exception)|ERR_\w+|E(?:CONN|NOT|TIMED|AI_)\w+|\[?ERROR\]?)\s*(?::|\[|$)
      | Traceback\ \(most\ recent
      | (?:error|problem)\ in\ (?:workflow|node)\b
      | \[object\ Object\]\s*$
      | (?:undefined|null|NaN|None)\s*$
      | Request\ failed\ with\ status\ code
      | The\ service\ (?:refused|was\ not\ able\ to\ process)
      | \{\{.*\}\}\s*$
    )
    | ^\s+at\ .+\(.*:\d+:\d+\)\s*$""",
    re.X | re.M | re.I,
)
"""Exception texts of n8n, Node and the services behind it, at the beginning; a stack trace anywhere."""
