"""Findings, in every form that ``-w`` knows but JSON, which a finding makes itself."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from etcdtool.cli.text import printable, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etcdtool.findings import Finding, Report

__all__ = ["count_fields", "count_line", "finding_fields", "finding_row", "folded"]

_PLURALS = {"error": "errors", "warning": "warnings", "note": "notes"}


def count_line(report: Report) -> str:
    """Return ``1 error, 0 warnings, 2 notes``."""
    return ", ".join(
        f"{count} {severity if count == 1 else _PLURALS[severity]}" for severity, count in report.counts().items()
    )


def count_fields(report: Report) -> Iterable[tuple[str, str]]:
    """Yield how many findings of each severity there are."""
    for severity, count in report.counts().items():
        yield _PLURALS[severity].capitalize(), str(count)


def finding_fields(finding: Finding) -> Iterable[tuple[str, str]]:
    """Yield a finding with a blank line before it."""
    yield "", ""
    yield "Code", quoted(finding.code)
    yield "Severity", quoted(finding.severity.value)
    yield "Where", quoted(_place(finding))
    yield "Detail", quoted(finding.detail)


def finding_row(finding: Finding) -> list[str]:
    """Return severity, code, where and detail as cells of a table."""
    return [finding.severity.value, finding.code, folded(_place(finding), 20), folded(_advice(finding), 30)]


def folded(text: str, width: int) -> str:
    """Return a text broken into lines for a cell of a table."""
    return "\n".join(textwrap.wrap(printable(text), width)) or ""


def _place(finding: Finding) -> str:
    return finding.where + (f" @ {finding.offset:#x}" if finding.offset is not None else "")


def _advice(finding: Finding) -> str:
    return f"{finding.detail}. {finding.hint}" if finding.hint else finding.detail
