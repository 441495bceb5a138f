"""Verdicts on several sources: one a source, what they come to together, and both in every form of ``-w``.

The JSON is described by ``schemas/verify.schema.json``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from etcdtool.cli._reports import count_fields, count_line, finding_fields, finding_row, folded
from etcdtool.cli.printers import Table
from etcdtool.cli.text import printable, quoted
from etcdtool.findings import Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["PRECEDENCE", "WORDS", "Failure", "Verdict", "Verdicts", "worst"]

PRECEDENCE = (0, 3, 13, 10, 11, 1)
"""Exit codes of one source, the worst last: further right less is known of it.

0 and 3 are judgements; with 13, 10 and 11 something was read, but no judgement could be made; with 1 not even that.
"""

_SOURCE_WIDTH = 24
Word = Literal["good", "not good", "not read"]
WORDS: tuple[Word, ...] = ("good", "not good", "not read")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a source could not be judged.

    Attributes:
        message: what a person is told.
        exit_code: what a call with this source alone ends with.
    """

    message: str
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came out for one source.

    Attributes:
        source: as the user named it.
        report: what was found; empty when it could not be read.
        failure: why it could not be read, if so.
        kind: what it was taken for, None when it could not be read.
        size: its bytes, unpacked; likewise.
        modified_seconds: when it was last written to (unix time), None for stdin and what is not there.
        seconds: how long it took.
    """

    source: str
    report: Report = field(default_factory=Report)
    failure: Failure | None = None
    kind: str | None = None
    size: int | None = None
    modified_seconds: float | None = None
    seconds: float = 0.0

    @property
    def word(self) -> Word:
        """The verdict in a word or two."""
        if self.failure is not None:
            return "not read"
        return "good" if self.report.good else "not good"

    @property
    def good(self) -> bool:
        """Whether it was read, and no error was found."""
        return self.failure is None and self.report.good

    @property
    def exit_code(self) -> int:
        """What a call with this source alone ends with."""
        return self.failure.exit_code if self.failure is not None else self.report.exit_code

    def lines(self, *, several: bool) -> Iterable[str]:
        """A line a finding, then the verdict; one of several sources stands in front of its findings, for grep."""
        prefix = f"{self.source}: " if several else ""
        for finding in self.report.findings:
            yield printable(f"{prefix}{finding}")
        if self.failure is None:
            yield f"{printable(self.source)}: {self.word} ({count_line(self.report)})"
        elif several:  # why, stands on stderr; with a single source that is all there is to say
            yield f"{printable(self.source)}: {self.word}"

    def fields(self) -> Iterable[tuple[str, str]]:
        """The verdict, the counts, and each finding."""
        yield "File", quoted(self.source)
        yield "Good", str(self.good).lower()
        if self.failure is not None:
            yield "Error", quoted(self.failure.message)
            return
        yield from count_fields(self.report)
        for finding in self.report.findings:
            yield from finding_fields(finding)

    def as_json(self) -> dict[str, Any]:
        """The element of ``results``."""
        return {
            "source": printable(self.source),
            "kind": self.kind,
            "size": self.size,
            "good": self.good,
            "exit_code": self.exit_code,
            "error": printable(self.failure.message, newlines=True) if self.failure is not None else None,
            "counts": self.report.counts(),
            "findings": [finding.as_json() for finding in self.report.findings],
        }


def worst(exit_codes: Iterable[int]) -> int:
    """Return what a call ends with whose sources end with these, see `PRECEDENCE`."""
    return max(
        exit_codes, key=lambda code: PRECEDENCE.index(code) if code in PRECEDENCE else len(PRECEDENCE), default=0
    )


@dataclass(frozen=True, slots=True)
class Verdicts:
    """All of them, in the order of the command line."""

    verdicts: Sequence[Verdict]

    @property
    def several(self) -> bool:
        """Whether there is more than one source, so that each must be named and summed up."""
        return len(self.verdicts) > 1

    @property
    def good(self) -> bool:
        """Whether every source is."""
        return all(verdict.good for verdict in self.verdicts)

    @property
    def exit_code(self) -> int:
        """The worst of all."""
        return worst(verdict.exit_code for verdict in self.verdicts)

    @property
    def all_findings(self) -> Report:
        """The findings about every source, in one report."""
        return Report([finding for verdict in self.verdicts for finding in verdict.report.findings])

    def count_of(self, word: Word) -> int:
        """Return how many have this verdict."""
        return Counter(verdict.word for verdict in self.verdicts)[word]

    def summary(self) -> str:
        """Return ``3 sources: 1 good, 1 not good, 1 not read (2 errors, 0 warnings, 0 notes)``."""
        counts = ", ".join(f"{self.count_of(word)} {word}" for word in WORDS)
        return f"{len(self.verdicts)} sources: {counts} ({count_line(self.all_findings)})"

    def simple(self) -> Iterable[str]:
        """Return the summary; `Verdict.lines` were printed as they came."""
        return [self.summary()] if self.several else []

    def table(self) -> Table:
        """One row a source."""
        rows = [
            [_cell(verdict), verdict.word, *map(str, verdict.report.counts().values())] for verdict in self.verdicts
        ]
        return Table(headers=["source", "verdict", "errors", "warnings", "notes"], rows=rows, left=frozenset({0, 1}))

    def findings_table(self) -> Table:
        """One row a finding; with several sources, its source in front."""
        headers = ["severity", "code", "where", "detail"]
        rows = [[_cell(verdict), *finding_row(found)] for verdict in self.verdicts for found in verdict.report.findings]
        if self.several:
            headers = ["source", *headers]
        else:
            rows = [row[1:] for row in rows]
        return Table(headers=headers, rows=rows, left=frozenset(range(len(headers))))

    def fields(self) -> Iterable[tuple[str, str]]:
        """Each source with its findings; with several, the sums at the end."""
        for verdict in self.verdicts:
            yield from verdict.fields()
            if self.several:
                yield "", ""
        if self.several:
            yield "Sources", str(len(self.verdicts))
            for word in WORDS:
                yield f"Sources {word}", str(self.count_of(word))

    def as_json(self) -> object:
        """The document of the schema."""
        return {
            "good": self.good,
            "exit_code": self.exit_code,
            "sources": {
                "total": len(self.verdicts),
                "good": self.count_of("good"),
                "not_good": self.count_of("not good"),
                "not_read": self.count_of("not read"),
            },
            "counts": self.all_findings.counts(),
            "results": [verdict.as_json() for verdict in self.verdicts],
        }


def _cell(verdict: Verdict) -> str:
    return folded(verdict.source, _SOURCE_WIDTH)
