"""Verdicts as JUnit XML: one test case a source, as CI servers show them.  Needs the extra ``pipelines``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from etcdtool.cli.text import printable
from etcdtool.findings import Severity

if TYPE_CHECKING:
    from etcdtool.cli._verdicts import Verdict, Verdicts

__all__ = ["render"]

_NAME = "etcdtool verify"
_NO_XML = re.compile("[\ufffe\uffff]")  # of what `printable` lets pass, XML 1.0 knows no way to write these two


def render(verdicts: Verdicts) -> bytes:
    """Return the document: errors are failures, a source that could not be read is an error, the rest is output."""
    suite = TestSuite(_NAME)
    for verdict in verdicts.verdicts:
        suite.add_testcase(_case(verdict))
    document = JUnitXml(_NAME)
    document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]  # the package is typed but for these two
    return bytes(document.tostring())  # type: ignore[no-untyped-call]


def _case(verdict: Verdict) -> TestCase:
    case = TestCase(_text(verdict.source), classname="etcdtool.verify", time=round(verdict.seconds, 3))
    found = verdict.report.findings
    errors = [str(finding) for finding in found if finding.severity is Severity.ERROR]
    others = [str(finding) for finding in found if finding.severity is not Severity.ERROR]
    if verdict.failure is not None:
        case.result = [_result(Error, [verdict.failure.message], f"exit {verdict.failure.exit_code}")]
    elif errors:
        first = next(finding for finding in found if finding.severity is Severity.ERROR)
        case.result = [_result(Failure, errors, first.code)]
    if others:
        case.system_out = "\n".join(map(_text, others))
    return case


def _result(kind: type[Error | Failure], lines: list[str], code: str) -> Error | Failure:
    result = kind(_text(lines[0]), code)
    result.text = "\n".join(map(_text, lines))  # a server that shows one failure a case shows them all
    return result


def _text(text: str) -> str:
    return _NO_XML.sub(lambda match: f"\\u{ord(match[0]):04x}", printable(text))
