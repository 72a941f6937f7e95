"""`docs/n8n-webhook.md` says what the code does."""

from __future__ import annotations

from pathlib import Path

from tests.brains.n8n_call import BRIEFING
from trunkline.brains.n8n_faults import MEANING
from trunkline.brains.n8n_reply import AUDIO_KEYS, HANG_UP_KEYS, KEY_KEYS, TEXT_KEYS, TRANSFER_KEYS
from trunkline.brains.n8n_request import process_input, welcome
from trunkline.ports import PersonTurn

PAGE = (Path(__file__).parents[2] / "docs/n8n-webhook.md").read_text(encoding="utf-8")


def test_every_failure_is_explained() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `") and line.count("|") == 4]
    expected = [f"| `{kind.value}` | {means} | {remedy} |" for kind, (means, remedy) in MEANING.items()]
    assert [row for row in rows if row in expected] == expected


def test_every_field_and_answer_is_named() -> None:
    turn = PersonTurn(1, "Hi.", b"", keys="1")
    asked = process_input(BRIEFING, turn, heard="", interrupted=False, transcribed=True).body.decode("latin-1")
    fields = {line.partition('"')[2].partition('"')[0] for line in asked.splitlines() if "form-data" in line}
    for name in (
        fields | set(TEXT_KEYS) | {AUDIO_KEYS[0], AUDIO_KEYS[1], HANG_UP_KEYS[0], TRANSFER_KEYS[0], KEY_KEYS[0]}
    ):
        assert f"`{name}`" in PAGE or f'"{name}"' in PAGE, name
    assert b'"mode": "welcome"' in welcome(BRIEFING).body
