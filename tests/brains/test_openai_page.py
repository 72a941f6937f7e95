"""`docs/openai.md` and the example in `configs/` say what the code does."""

from __future__ import annotations

from pathlib import Path

from trunkline.brains import make_brain
from trunkline.brains.openai_faults import MEANING
from trunkline.settings_file import load

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/openai.md").read_text(encoding="utf-8")


def test_every_failure_is_explained() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `model-")]
    assert rows == [f"| `{kind.value}` | {means} | {remedy} |" for kind, (means, remedy) in MEANING.items()]


def test_the_example_is_an_agent() -> None:
    agent = load(ROOT / "configs/openai-agent.toml", env_file=None).agents["clinic"]
    assert set(agent.openai.tools) == {"free_times", "book"}
    make_brain(agent)
