"""The pages say what the code does: an undocumented setting, command or route is a failed test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main
from fastapi.routing import APIRoute, APIWebSocketRoute

from trunkline.cli import app
from trunkline.cli.settings import reference
from trunkline.web import classic, control, dialling, supervision
from trunkline.web.calls import router as calls_router
from trunkline.web.service import keyed, open_to_all

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def test_settings_page_is_what_the_code_says() -> None:
    written = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    assert written == "\n".join(reference()) + "\n", "run: trunkline settings --markdown > docs/settings.md"


def test_every_setting_is_described() -> None:
    rows = [line for line in reference() if line.startswith("| `")]
    assert len(rows) > 50
    assert not [row for row in rows if row.rstrip(" |").endswith("|")]


def test_every_command_is_named_in_the_pages() -> None:
    command = typer.main.get_command(app)
    names = list(command.commands)  # type: ignore[attr-defined]
    assert len(names) > 5
    assert not [name for name in names if f"trunkline {name}" not in TEXT]


@pytest.mark.parametrize(
    "router", [classic.router, calls_router, dialling.router, control.router, supervision.router, keyed, open_to_all]
)
def test_every_route_is_named_in_the_readme(router: object) -> None:
    readme = re.sub(r"\{\w+\}", "{}", (ROOT / "README.md").read_text(encoding="utf-8"))
    routes = [route for route in router.routes if isinstance(route, APIRoute | APIWebSocketRoute)]  # type: ignore[attr-defined]
    assert routes
    assert not [route.path for route in routes if re.sub(r"\{\w+\}", "{}", route.path) not in readme]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_every_make_target_has_a_word_of_help() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("demo", "serve", "test", "check", "bench", "clean", "help"):
        assert re.search(rf"^{target}:.*## \w", makefile, re.MULTILINE), target
