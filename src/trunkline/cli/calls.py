"""`trunkline call` and `trunkline hangup`: a running service, from the command line."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any, Final

import httpx
import typer
from rich.console import Console

from trunkline.carriers import diagnosis
from trunkline.cli.live import LiveCall
from trunkline.cli.shared import load_settings
from trunkline.errors import NotReady, RequestError
from trunkline.settings import DEFAULT_AGENT, Settings

ALERT_SECONDS: Final = 15.0
"""How long the carrier's own word on a failed call is waited for; most come within a second or two."""
LOOK_SECONDS: Final = 0.5
ServiceAddress = Annotated[
    str | None, typer.Option("--service", help="Address of the service (default: the one of the settings).")
]


def call(
    context: typer.Context,
    number: Annotated[str, typer.Argument(help="Whom to call, as +14155550100.")],
    *,
    agent: Annotated[str, typer.Option("--agent", "--context", help="Which agent calls.")] = DEFAULT_AGENT,
    variable: Annotated[list[str] | None, typer.Option("--var", help="A value for the script, as name=Ann.")] = None,
    caller_id: Annotated[str | None, typer.Option("--caller-id", help="Number that is shown.")] = None,
    script: Annotated[str | None, typer.Option("--script", help="Greeting instead of the agent's.")] = None,
    service: ServiceAddress = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Show the call live until it ends.")] = True,
) -> None:
    """Place a call and follow it live. Exit status 3 when it was not answered."""
    body: dict[str, Any] = {"phoneNumber": number, "context": agent}
    body["variables"] = dict(_pair(text) for text in variable or ())
    body |= {k: v for k, v in (("callerId", caller_id), ("script", script)) if v is not None}
    settings = load_settings(context)
    with _client(settings, service) as http:
        placed = _ask(http, "POST", "/call", body)
        print(placed["sessionId"])
        if follow and not _follow(http, placed["sessionId"], alerts=settings.twilio.account_sid is not None):
            raise typer.Exit(3)


def hang_up(
    context: typer.Context,
    call_id: Annotated[str, typer.Argument(help="Id of the call.")],
    service: ServiceAddress = None,
) -> None:
    """End a call."""
    with _client(load_settings(context), service) as http:
        _ask(http, "DELETE", f"/calls/{call_id}")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise RequestError(f"--var {text!r} is no pair.", remedy="Write it as name=value.")
    return name, value


def _client(settings: Settings, service: str | None) -> httpx.Client:
    host = settings.service.host
    host = "127.0.0.1" if host in {"0.0.0.0", "::"} else host
    key = settings.service.api_key
    return httpx.Client(
        base_url=service or f"http://{f'[{host}]' if ':' in host else host}:{settings.service.port}",
        headers={"authorization": f"Bearer {key.get_secret_value()}"} if key else {},
        timeout=httpx.Timeout(15, read=None),
        trust_env=False,
    )


def _ask(http: httpx.Client, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    try:
        answer = http.request(method, path, json=body)
    except httpx.HTTPError as error:
        raise NotReady(
            f"The service at {http.base_url} can't be reached: {error}.", remedy="Start it with `trunkline serve`."
        ) from error
    found: dict[str, Any] = answer.json()
    if answer.is_error:
        raise RequestError(found["error"]["message"], remedy=found["error"].get("remedy"))
    return found


def _follow(http: httpx.Client, call_id: str, *, alerts: bool) -> bool:
    """Show it to its end; whether it was answered. `alerts`: the service may learn later why it failed."""
    live, kind, end = LiveCall(Console(highlight=False)), "", dict[str, Any]()
    with http.stream("GET", f"/calls/{call_id}/events") as answer:
        for line in answer.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                data = json.loads(line.removeprefix("data: "))
                live.show(kind, data)
                end = data if data.get("disposition") else end
    open_end = end.get("sipCode") and diagnosis.is_ambiguous(end["sipCode"], end.get("sipReason"))
    if alerts and open_end and (why := _alert(http, call_id, end["reason"])):
        live.show("state", {**end, "reason": why})
    return end.get("disposition") == "answered"


def _alert(http: httpx.Client, call_id: str, first: str) -> str | None:
    """The reason that took the place of the first one; `None`: none came in time."""
    latest = time.monotonic() + ALERT_SECONDS
    while time.monotonic() < latest:
        time.sleep(LOOK_SECONDS)
        reason = _ask(http, "GET", f"/calls/{call_id}").get("reason")
        if reason and reason != first:
            return str(reason)
    return None
