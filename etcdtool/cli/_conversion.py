"""What ``convert`` shows: the report in every form, and the discovery registry for ``--list-tokens``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.cli.printers import Table
from etcdtool.cli.text import human_size, printable, quoted
from etcdtool.cli.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from etcdtool.operations.conversion_report import ConversionReport

__all__ = ["ConversionView"]

_NAMED_AT_MOST = 5
_NAMELESS_REASONS = frozenset({"directory"})
"""Nobody wants to read every directory's name; whatever else was left out is named."""


@dataclass(frozen=True, slots=True)
class ConversionView:
    """The report of a conversion."""

    report: ConversionReport

    def _lines(self) -> Iterable[tuple[str, str]]:
        report, data = self.report, self.report.data
        counts = report.counts()
        for origin in data.origins:
            yield "source", f"{os.fspath(origin.path)}: {origin.kind}"
        if not data.complete:
            yield "completeness", "unknown: a dump of /v2/keys holds no hidden keys"
        yield "as of", rfc3339(data.as_of)
        yield "nodes", str(counts["nodes"])
        by_converter = ", ".join(f"{name} {count}" for name, count in counts["converted_by"].items())
        yield "converted", f"{counts['converted']} nodes into {counts['puts']} keys ({by_converter})"
        yield "leases", str(counts["leases"])
        for reason, paths in sorted(report.result.skipped_by_reason().items()):
            yield "skipped", f"{len(paths)}: {reason}{_named(reason, paths)}"
        yield "head revision", str(report.plan.head)
        if report.plan.compact_revision:
            yield "compacted at", f"{report.plan.compact_revision}, because v2 kept no history"
        yield "target", self._target()
        if report.proof is not None:
            proof = report.proof
            yield (
                "proof",
                f"{proof.records_compared} keys read back, each equal to its node; {counts['nodes']} nodes add up",
            )
        for finding in report.findings:
            yield finding.severity.value, str(finding).partition(": ")[2]

    def _target(self) -> str:
        report = self.report
        if report.options_shown.get("dry_run"):
            return "none written (--dry-run)"
        if report.target is None:
            return "stdout, which cannot be read back"
        return f"{os.fspath(report.target)}, {human_size(report.written_size)}"

    def simple(self) -> Iterable[str]:
        """One fact a line."""
        return (f"{name:13}  {printable(text)}" for name, text in self._lines())

    def table(self) -> Table:
        """The counts: what became of how many nodes."""
        counts = self.report.counts()
        rows = [[f"converted by {printable(name)}", str(count)] for name, count in counts["converted_by"].items()]
        rows += [[f"skipped: {printable(reason)}", str(count)] for reason, count in counts["skipped"].items()]
        rows.append(["nodes in all", str(counts["nodes"])])
        return Table(headers=["outcome", "nodes"], rows=rows, left=frozenset({0}))

    def fields(self) -> Iterable[tuple[str, str]]:
        """The same facts, quoted."""
        for name, text in self._lines():
            yield name.capitalize(), text if text.isdecimal() else quoted(text)

    def as_json(self) -> object:
        """The whole report, as ``--report-file`` has it."""
        return self.report.as_json()


def _named(reason: str, paths: Sequence[str]) -> str:
    if reason in _NAMELESS_REASONS:
        return ""
    more = f" and {len(paths) - _NAMED_AT_MOST} more" if len(paths) > _NAMED_AT_MOST else ""
    return f" ({', '.join(paths[:_NAMED_AT_MOST])}{more})"
