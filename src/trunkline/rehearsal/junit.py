"""The results of a rehearsal as JUnit XML, in the form that build servers read: one test case per expectation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from xml.etree import ElementTree as Xml

from trunkline.rehearsal.judgement import Finding, Verdict
from trunkline.rehearsal.session import Outcome

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters XML 1.0 can't hold, not even escaped."""


def junit_xml(outcomes: Sequence[Outcome], now: datetime) -> bytes:
    """UTF-8. A suite per call, a test case per expectation; what could not be judged counts as skipped."""
    root = Xml.Element("testsuites", name="rehearsal")
    for outcome in outcomes:
        root.append(_suite(outcome, now))
    for count in ("tests", "failures", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    root.set("errors", "0")
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in root):.3f}")
    Xml.indent(root)
    return bytes(Xml.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _suite(outcome: Outcome, now: datetime) -> Xml.Element:
    report = outcome.attempt.report
    verdicts = [finding.verdict for finding in outcome.findings]
    seconds = 0.0 if report is None or report.duration is None else report.duration
    suite = Xml.Element(
        "testsuite",
        name=_clean(outcome.attempt.scenario.name),
        tests=str(len(verdicts)),
        failures=str(verdicts.count(Verdict.FAILED)),
        errors="0",
        skipped=str(verdicts.count(Verdict.NOT_JUDGED)),
        time=f"{seconds:.3f}",
        timestamp=now.strftime("%Y-%m-%dT%H:%M:%S"),
        hostname="localhost",
    )
    for number, finding in enumerate(outcome.findings):
        suite.append(_case(outcome, finding, seconds if number == 0 else 0.0))
    return suite


def _case(outcome: Outcome, finding: Finding, seconds: float) -> Xml.Element:
    where = "call" if finding.step is None else f"step {finding.step}"
    case = Xml.Element(
        "testcase",
        classname=_clean(f"rehearsal.{outcome.attempt.scenario.name}"),
        name=_clean(f"{where}: {finding.expectation} {finding.wanted}"),
        time=f"{seconds:.3f}",
    )
    told = _clean(f"wanted {finding.wanted}, got {finding.got}")
    if finding.verdict is Verdict.FAILED:
        Xml.SubElement(case, "failure", message=told, type=finding.expectation).text = told
    elif finding.verdict is Verdict.NOT_JUDGED:
        Xml.SubElement(case, "skipped", message=told)
    return case


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("�", text)
