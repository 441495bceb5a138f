"""A report of findings, in every form."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.cli.printers import Table
from etcdtool.cli.text import printable, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etcdtool.findings import Finding, Report

__all__ = ["ReportView", "count_line"]

_PLURALS = {"error": "errors", "warning": "warnings", "note": "notes"}


@dataclass(frozen=True, slots=True)
class ReportView:
    """The findings about one thing.

    Attributes:
        subject: what was checked, as the user named it.
        report: what was found.
    """

    subject: str
    report: Report

    def simple(self) -> Iterable[str]:
        """One line a finding, then the verdict."""
        for finding in self.report.findings:
            yield printable(str(finding))
        yield f"{printable(self.subject)}: {'good' if self.report.good else 'not good'} ({count_line(self.report)})"

    def table(self) -> Table:
        """One row a finding."""
        rows = [
            [finding.severity.value, finding.code, _folded(_place(finding), 20), _folded(_advice(finding), 30)]
            for finding in self.report.findings
        ]
        return Table(headers=["severity", "code", "where", "detail"], rows=rows, left=frozenset(range(4)))

    def fields(self) -> Iterable[tuple[str, str]]:
        """The verdict, the counts, and each finding."""
        yield "File", quoted(self.subject)
        yield "Good", str(self.report.good).lower()
        for severity, count in self.report.counts().items():
            yield _PLURALS[severity].capitalize(), str(count)
        for finding in self.report.findings:
            yield "", ""
            yield "Code", quoted(finding.code)
            yield "Severity", quoted(finding.severity.value)
            yield "Where", quoted(_place(finding))
            yield "Detail", quoted(finding.detail)

    def as_json(self) -> object:
        """``{file, good, counts, findings}``."""
        return {
            "file": printable(self.subject),
            "good": self.report.good,
            "counts": self.report.counts(),
            "findings": [finding.as_json() for finding in self.report.findings],
        }


def count_line(report: Report) -> str:
    """Return ``1 error, 0 warnings, 2 notes``."""
    return ", ".join(
        f"{count} {severity if count == 1 else _PLURALS[severity]}" for severity, count in report.counts().items()
    )


def _place(finding: Finding) -> str:
    return printable(finding.where) + (f" @ {finding.offset:#x}" if finding.offset is not None else "")


def _advice(finding: Finding) -> str:
    return printable(f"{finding.detail}. {finding.hint}" if finding.hint else finding.detail)


def _folded(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width)) or ""
