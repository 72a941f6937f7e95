"""Errors as answers, in one place: `{"error": {"code", "message", "remedy", "details"}}`, whatever went wrong."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from trunkline.errors import TrunklineError
from trunkline.web.answers import ErrorAnswer
from trunkline.web.audit import failed

log = logging.getLogger(__name__)

_LONGEST_ECHO = 200
"""Characters of a client's own words in an answer."""
_CODES = {
    400: ("request_invalid", "The request can't be read: its body is not valid JSON."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address doesn't know that method."),
    413: ("body_too_large", "The request is too large."),
}
_CORRECT: Final = "Correct the request; /docs describes every field."
_WHAT_THERE_IS: Final = "GET /openapi.json lists what there is."
_REMEDIES: Final = {400: _CORRECT, 404: _WHAT_THERE_IS, 405: _WHAT_THERE_IS, 413: "Send less."}


def error_answer(
    status: int,
    code: str,
    message: str,
    *,
    remedy: str | None = None,
    details: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    content = {"error": {"code": code, "message": message, "remedy": remedy, "details": dict(details or {})}}
    # ASCII, because clients' own words may be in it, with characters that UTF-8 can't carry; `str` for what isn't JSON.
    body = json.dumps(content, default=str)
    return Response(body, status, dict(headers or {}), media_type="application/json")


def errors(*kinds: type[TrunklineError]) -> dict[int | str, dict[str, Any]]:
    """What a route may raise, for the API's description."""
    by_status: dict[int, list[str]] = {}
    for kind in kinds:
        by_status.setdefault(kind.http_status, []).append(f"`{kind.code}`")
    return {status: {"model": ErrorAnswer, "description": ", ".join(codes)} for status, codes in by_status.items()}


def answer_errors(app: FastAPI) -> None:
    """Make `app` answer every error in our shape."""
    app.add_exception_handler(TrunklineError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _broken)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, TrunklineError)
    if error.http_status >= 500:
        log.error("%s %s: %s", request.method, request.url.path, error)
    failed(request, error.code)
    return problem(error)


def problem(error: TrunklineError) -> Response:
    """An error of ours as an answer."""
    headers = {"retry-after": "5"} if error.retryable else None
    return error_answer(
        error.http_status, error.code, error.message, remedy=error.remedy, details=error.details, headers=headers
    )


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    failed(request, "request_invalid")
    problems = [{"field": _field(each), "problem": _problem(each)} for each in error.errors()]
    first = problems[0]
    return error_answer(
        422,
        "request_invalid",
        f"{first['field']}: {first['problem']}.",
        remedy=_CORRECT,
        details={"problems": problems[:20]},
    )


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, message = _CODES.get(error.status_code, ("request_refused", str(error.detail)))
    failed(request, code)
    remedy = _REMEDIES.get(error.status_code)
    return error_answer(error.status_code, code, message, remedy=remedy, headers=error.headers)


async def _broken(request: Request, error: Exception) -> Response:
    # What broke is nobody's business but the log's; the id leads from one to the other.
    incident = uuid.uuid4().hex[:12]
    log.error("%s %s broke (incident %s)", request.method, request.url.path, incident, exc_info=error)
    return error_answer(
        500,
        "internal_error",
        "Something in Trunkline broke.",
        remedy=f"The log says what, under incident {incident}; please report it.",
        details={"incident": incident},
    )


def _field(error: Mapping[str, Any]) -> str:
    # The first part says where in the request (`body`, `query`); alone it stands for the whole.
    where, *parts = error["loc"]
    if error["type"] == "json_invalid":
        parts = []  # a place in the text
    return _short(".".join(str(part) for part in parts if part != "[key]") or where)


def _problem(error: Mapping[str, Any]) -> str:
    if error["type"] == "json_invalid":
        return "not valid JSON"
    if error["type"] in ("model_attributes_type", "dict_type") and len(error["loc"]) == 1:
        return "must be a JSON object, sent with Content-Type: application/json"
    if error["type"] == "extra_forbidden":
        return "there is no such field"
    return _short(error["msg"].removeprefix("Value error, ").rstrip("."))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_ECHO else text[:_LONGEST_ECHO] + "..."
