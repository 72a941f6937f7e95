"""What a rehearsal leaves in its folder: a page for people, JSON for programs, JUnit XML for build servers."""

from __future__ import annotations

import base64
import dataclasses
import html
import json
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from trunkline.errors import StoreError
from trunkline.models import HangUpBy, Speaker, Turn, TurnTimings
from trunkline.rehearsal.judgement import Finding, Verdict, acts
from trunkline.rehearsal.junit import junit_xml
from trunkline.rehearsal.picture import draw_call
from trunkline.rehearsal.report import CallReport, SaidTurn
from trunkline.rehearsal.session import Outcome
from trunkline.rehearsal.steps import Speaking

PAGE, JSON, JUNIT = "rehearsal.html", "rehearsal.json", "junit.xml"
_STYLE = Path(__file__).with_name("page.css")
MARKS = {Verdict.MET: "✓", Verdict.FAILED: "✗", Verdict.NOT_JUDGED: "?"}
CLASSES = {Verdict.MET: "met", Verdict.FAILED: "failed", Verdict.NOT_JUDGED: "unjudged"}
ENDED_BY = {"caller": HangUpBy.AGENT, "person": HangUpBy.PERSON, "carrier": HangUpBy.CARRIER}


def write_results(folder: Path, outcomes: Sequence[Outcome]) -> Path:
    """All three files; the page's path. Pictures take about a second of CPU each."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    (folder / JSON).write_text(json.dumps(as_data(outcomes, now), indent=2, ensure_ascii=False) + "\n", "utf-8")
    (folder / JUNIT).write_bytes(junit_xml(outcomes, now))
    (folder / PAGE).write_text(page(outcomes, folder, now), "utf-8")
    return folder / PAGE


def as_data(outcomes: Sequence[Outcome], now: datetime) -> dict[str, Any]:
    """Everything that is known, for programs."""
    calls = []
    for outcome in outcomes:
        report, scenario = outcome.attempt.report, outcome.attempt.scenario
        calls.append(
            {
                "scenario": scenario.name,
                "about": scenario.about,
                "line": scenario.line.label,
                "verdict": overall(outcome),
                "findings": [dataclasses.asdict(finding) for finding in outcome.findings],
                "words": outcome.words,
                "disposition": outcome.attempt.disposition,
                "problem": None if outcome.attempt.error is None else outcome.attempt.error.message,
                "report": None if report is None else dataclasses.asdict(report),
            }
        )
    return {"at": now.isoformat(timespec="seconds"), "calls": calls}


def overall(outcome: Outcome) -> Verdict:
    """Of a whole call: failed, else not judged, else met."""
    verdicts = {finding.verdict for finding in outcome.findings}
    return next((v for v in (Verdict.FAILED, Verdict.NOT_JUDGED) if v in verdicts), Verdict.MET)


# ── the page ───────────────────────────────────────────────────────────────────────────────────────────────────────


def page(outcomes: Sequence[Outcome], folder: Path, now: datetime) -> str:
    """One self-contained HTML file; only the recordings are beside it."""
    failures = sum(overall(outcome) is Verdict.FAILED for outcome in outcomes)
    title = f"{failures} of {len(outcomes)} calls not as expected" if failures else "All calls as expected"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{title} – Trunkline rehearsal</title><style>{_STYLE.read_text('utf-8')}</style></head><body>",
        f'<header><p class="eyebrow">Trunkline rehearsal · {now:%d %B %Y, %H:%M} UTC</p><h1>{title}</h1>',
        *_figures(outcomes),
        "</header><main>",
        *_overview(outcomes),
        *(text for number, outcome in enumerate(outcomes, 1) for text in _call(number, outcome, folder)),
        "</main><footer>Turn gap: last audible sample of the person → first audible sample of the agent, on the RTP ",
        "packets at the person’s ear. Recordings: left the person, right the agent.</footer></body></html>",
    ]
    return "\n".join(parts)


def _figures(outcomes: Sequence[Outcome]) -> Iterator[str]:
    verdicts = [finding.verdict for outcome in outcomes for finding in outcome.findings]
    trusted = [o for o in outcomes if o.attempt.report is not None and not o.attempt.report.clock.late]
    turns = [turn for outcome in trusted for turn in _meant(outcome)]
    gaps = [turn.gap_ms for turn in turns if turn.gap_ms is not None]
    reports = [outcome.attempt.report for outcome in trusted if outcome.attempt.report is not None]
    greetings = [report.greeting_ms for report in reports if report.greeting_ms is not None]
    stops = [turn.stop_ms for turn in turns if turn.stop_ms is not None]
    shown = [("expectations met", f"{verdicts.count(Verdict.MET)}", f"of {len(verdicts)}")]
    if unjudged := verdicts.count(Verdict.NOT_JUDGED):
        shown.append(("not judged", f"{unjudged}", "measuring side late, or no words"))
    for name, values in (("turn gap", gaps), ("greeting", greetings), ("barge-in stop", stops)):
        if values:
            shown.append((f"{name}, median", f"{statistics.median(values):.0f} ms", f"longest {max(values):.0f} ms"))
    yield '<dl class="figures">'
    for name, value, detail in shown:
        yield f"<div><dt>{name}</dt><dd>{value}<small>{detail}</small></dd></div>"
    yield "</dl>"


def _meant(outcome: Outcome) -> Iterator[SaidTurn]:
    """What the person said for an answer: a cough has neither a turn gap nor a barge-in stop."""
    assert outcome.attempt.report is not None
    steps = dict(enumerate(outcome.attempt.scenario.steps, 1))
    for turn in outcome.attempt.report.turns:
        step = steps.get(turn.step)
        if isinstance(step, Speaking) and step.sound is None and step.goes_on is None:
            yield turn


def _overview(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield '<nav aria-label="Calls"><ol class="overview">'
    for number, outcome in enumerate(outcomes, 1):
        verdict = overall(outcome)
        name = html.escape(outcome.attempt.scenario.name)
        yield f'<li class="{CLASSES[verdict]}"><a href="#call-{number}"><b>{MARKS[verdict]}</b> {name}</a></li>'
    yield "</ol></nav>"


def _call(number: int, outcome: Outcome, folder: Path) -> Iterator[str]:
    scenario, report = outcome.attempt.scenario, outcome.attempt.report
    verdict = overall(outcome)
    opened = " open" if verdict is not Verdict.MET else ""
    facts = [] if report is None else _facts(report)
    yield f'<details class="call {CLASSES[verdict]}" id="call-{number}"{opened}><summary><span class="mark">'
    yield f"{MARKS[verdict]}</span><span><h2>{html.escape(scenario.name)}</h2>"
    yield f"<p>{html.escape(' · '.join(facts))}</p></span></summary>"
    if scenario.about:
        yield f'<p class="about">{html.escape(scenario.about)}</p>'
    if report is not None and report.clock.late:
        yield '<p class="notice">The measuring side was late in this call: its times were not judged.</p>'
    if report is not None and report.recording and (folder / report.recording).exists():
        yield from _sound_and_picture(outcome, report, folder)
    yield '<div class="scroll"><table><thead><tr><th></th><th>Where</th><th>Expected</th><th>Found</th></tr></thead>'
    yield "<tbody>"
    for finding in outcome.findings:
        yield _row(finding)
    yield "</tbody></table></div></details>"


def _facts(report: CallReport) -> list[str]:
    by = ENDED_BY.get(report.ended_by, report.ended_by)
    facts = [f"{report.outcome}, ended by the {by}"]
    if report.duration is not None:
        facts.append(f"{report.duration:.0f} s")
    if report.gaps_ms:
        facts.append("turn gaps " + ", ".join(f"{gap:.0f}" for gap in report.gaps_ms) + " ms")
    return [*facts, report.line] if report.line else facts


def _row(finding: Finding) -> str:
    where = "call" if finding.step is None else f"step {finding.step}"
    cells = (html.escape(text) for text in (finding.wanted, finding.got))
    wanted, got = cells
    return (
        f'<tr class="{CLASSES[finding.verdict]}"><td title="{finding.verdict}">{MARKS[finding.verdict]}</td>'
        f"<td>{where}</td><td><code>{html.escape(finding.expectation)}</code> {wanted}</td><td>{got}</td></tr>"
    )


def _sound_and_picture(outcome: Outcome, report: CallReport, folder: Path) -> Iterator[str]:
    recording = html.escape(str(report.recording), quote=True)
    name = html.escape(outcome.attempt.scenario.name, quote=True)
    if (picture := _picture(outcome, report, folder)) is not None:
        coded = base64.b64encode(picture).decode()
        source = f"data:image/png;base64,{coded}"
        yield f'<div class="scroll"><img loading="lazy" alt="Waveforms of {name}" src="{source}"></div>'
    yield f'<audio controls preload="none" src="{recording}" aria-label="Recording of {name}"></audio>'


def _picture(outcome: Outcome, report: CallReport, folder: Path) -> bytes | None:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "call.png"
        try:
            draw_call(
                folder / str(report.recording),
                turns_of(report, outcome.words),
                file,
                outcome.attempt.scenario.name,
                subtitle=report.line or "a perfect line",
                greeting_ms=report.greeting_ms,
                hung_up_by=ENDED_BY.get(report.ended_by),
            )
        except StoreError:
            return None
        return file.read_bytes()


def turns_of(report: CallReport, words: Sequence[str] | None) -> list[Turn]:
    """The call as turns of both sides: what the agent says between two acts of the person is one turn."""
    done = acts(report)
    keys = {press.began: press.keys for press in report.presses}
    texts = {turn.began: turn.text for turn in report.turns}
    gaps = {turn.reply_began: turn.gap_ms for turn in report.turns if turn.reply_began is not None}
    turns = [
        Turn(0, Speaker.PERSON, texts.get(act.began, ""), act.began, act.ended, keys=keys.get(act.began, ""))
        for act in done
    ]
    borders = [0.0, *(act.began for act in done), float("inf")]
    for number, (since, until) in enumerate(pairwise(borders)):
        spans = [span for span in report.agent_speech if since <= span.began < until]
        text = words[number] if words is not None and number < len(words) else ""
        if spans:
            timings = TurnTimings(gap_ms=gaps[spans[0].began]) if spans[0].began in gaps else None
            turns.append(Turn(0, Speaker.AGENT, text, spans[0].began, spans[-1].ended, timings))
        elif text and turns and turns[-1].speaker is Speaker.AGENT:  # it spoke on through what the person did
            turns[-1] = dataclasses.replace(turns[-1], text=f"{turns[-1].text} {text}")
    ordered = sorted(turns, key=lambda turn: turn.started)
    return [dataclasses.replace(turn, number=number) for number, turn in enumerate(ordered, 1)]
