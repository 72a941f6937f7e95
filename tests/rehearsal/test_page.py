from __future__ import annotations

import json
import wave
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from tests.rehearsal.call_reports import call_report, spoken
from trunkline.errors import NotReady
from trunkline.models import Speaker
from trunkline.rehearsal.attempt import Attempt
from trunkline.rehearsal.judgement import Finding, Verdict
from trunkline.rehearsal.page import JSON, JUNIT, overall, turns_of, write_results
from trunkline.rehearsal.report import KeyPress
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.session import Outcome
from trunkline.rehearsal.studio import tone

VOID = {"meta", "img", "br", "link", "input"}
NASTY = 'a "quick" <yes> & no\x07'


class Checker(HTMLParser):
    """Every tag closed in its place; keeps the links."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        self.links += [given[key] for key in ("src", "href") if key in given]
        self.ids |= {given["id"]} if "id" in given else set()
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def outcomes(tmp_path: Path) -> list[Outcome]:
    with wave.open(str(tmp_path / "call.wav"), "wb") as wav:
        wav.setnchannels(2)
        wav.setsampwidth(2)
        wav.setframerate(8000)
        wav.writeframes(tone((300.0,), 8.0))
    report = call_report((0.1, 1), (2, 3), said=[spoken(2, 1.5, 1.8, gap_ms=200.0)], recording="call.wav", duration=4.0)
    findings = (
        Finding(2, "hears", "goodbye", "“Good <b>day</b>”", Verdict.FAILED),
        Finding(2, "within_ms", "at most 500 ms", "200 ms", Verdict.NOT_JUDGED),
        Finding(None, "ended_by", "person", "person", Verdict.MET),
    )
    talks = Scenario(name=NASTY, about="Says <i>yes</i>.")
    lost = Finding(None, "the call", "one that reaches the person", "It didn't.", Verdict.FAILED)
    return [
        Outcome(Attempt(talks, report, disposition="answered"), findings, ("Hello.", "Good day.")),
        Outcome(Attempt(Scenario(name="fine"), call_report((0.1, 1))), findings[2:]),
        Outcome(Attempt(Scenario(name="lost"), None, NotReady("It didn't.")), (lost,)),
    ]


def test_the_page_is_well_formed_and_needs_nothing_but_the_recordings(outcomes: list[Outcome], tmp_path: Path) -> None:
    content = write_results(tmp_path, outcomes).read_text("utf-8")
    checker = Checker()
    checker.feed(content)
    assert checker.open == []
    outside = [link for link in checker.links if not link.startswith(("data:image/png;base64,", "#"))]
    assert outside == ["call.wav"]
    assert {link.removeprefix("#") for link in checker.links if link.startswith("#")} <= checker.ids
    assert "http" not in content and "@import" not in content
    assert 'a "quick" <yes> & no' in checker.text
    assert "<b>day</b>" not in content
    assert "2 of 3 calls not as expected" in checker.text


def test_programs_read_it_all_as_json(outcomes: list[Outcome], tmp_path: Path) -> None:
    write_results(tmp_path, outcomes)
    content = json.loads((tmp_path / JSON).read_text("utf-8"))
    first, fine, lost = content["calls"]
    assert (first["verdict"], fine["verdict"], lost["verdict"]) == ("failed", "met", "failed")
    assert first["findings"][0]["got"] == "“Good <b>day</b>”"
    assert first["report"]["turns"][0]["gap_ms"] == 200.0
    assert (lost["report"], lost["problem"]) == (None, "It didn't.")


def test_build_servers_read_it_as_junit(outcomes: list[Outcome], tmp_path: Path) -> None:
    write_results(tmp_path, outcomes)
    root = Xml.parse(tmp_path / JUNIT).getroot()
    assert root.tag == "testsuites"
    assert (root.get("tests"), root.get("failures"), root.get("skipped"), root.get("errors")) == ("5", "2", "1", "0")
    for suite in root:
        assert suite.tag == "testsuite"
        assert {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"} == set(suite.keys())
        cases = list(suite)
        assert len(cases) == int(suite.get("tests", ""))
        assert len(suite.findall("*/failure")) == int(suite.get("failures", ""))
        assert len(suite.findall("*/skipped")) == int(suite.get("skipped", ""))
        for case in cases:
            assert case.tag == "testcase"
            assert {"name", "classname", "time"} == set(case.keys())
            assert [child.tag for child in case] in ([], ["failure"], ["skipped"])
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None and failure.get("message") == "wanted goodbye, got “Good <b>day</b>”"
    assert float(root.get("time", "")) == 14.0


def test_what_the_agent_says_between_two_acts_is_a_turn() -> None:
    report = call_report(
        (0.1, 1), (1.3, 2), (4, 5), said=[spoken(1, 3, 3.5, "Hm.")], pressed=[KeyPress("1", 2, 6.0, 6.2)]
    )
    turns = turns_of(report, ("Hello you.", "Yes?", ""))
    assert [(turn.speaker, turn.text, turn.keys, turn.started, turn.ended) for turn in turns] == [
        (Speaker.AGENT, "Hello you.", "", 0.1, 2),
        (Speaker.PERSON, "Hm.", "", 3, 3.5),
        (Speaker.AGENT, "Yes?", "", 4, 5),
        (Speaker.PERSON, "", "1", 6.0, 6.2),
    ]
    assert [turn.text for turn in turns_of(report, None) if turn.speaker is Speaker.AGENT] == ["", ""]


def test_a_call_is_as_good_as_its_worst_expectation(outcomes: list[Outcome]) -> None:
    failed, met, _ = outcomes
    assert (overall(failed), overall(met)) == (Verdict.FAILED, Verdict.MET)
    unjudged = Outcome(failed.attempt, failed.findings[1:])
    assert (overall(unjudged), unjudged.complaints) == (Verdict.NOT_JUDGED, ())
    assert failed.complaints == ("Step 2, hears: wanted goodbye, got “Good <b>day</b>”",)
