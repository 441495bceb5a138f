"""What a check or a reader has to say: findings, their severity, and the report that gathers them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Finding", "Report", "Severity"]


class Severity(Enum):
    """How much a finding matters."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found, with a stable code.

    Attributes:
        code: stable, dotted: ``wal.torn-tail``.
        severity: error, warning or note.
        where: file, page, key or path, as a person would name it.
        detail: one lower-case sentence without a full stop.
        offset: byte offset in the file named by ``where``, if there is one.
        hint: what to do next, or "".
    """

    code: str
    severity: Severity
    where: str
    detail: str
    offset: int | None = None
    hint: str = ""

    def as_json(self) -> dict[str, Any]:
        """The finding as it stands in a JSON report."""
        record: dict[str, Any] = {
            "code": self.code,
            "severity": self.severity.value,
            "where": self.where,
            "detail": self.detail,
        }
        if self.offset is not None:
            record["offset"] = self.offset
        if self.hint:
            record["hint"] = self.hint
        return record

    def __str__(self) -> str:
        place = f" at offset {self.offset:#x}" if self.offset is not None else ""
        hint = f". {self.hint}" if self.hint else ""
        return f"{self.severity.value}: {self.code}: {self.where}{place}: {self.detail}{hint}"


@dataclass(slots=True)
class Report:
    """Findings of one run, in the order they were found."""

    findings: list[Finding] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Take one finding."""
        self.findings.append(finding)

    def extend(self, findings: Iterable[Finding]) -> None:
        """Take findings as they come."""
        self.findings.extend(findings)

    def counts(self) -> dict[str, int]:
        """How many findings of each severity there are, zeros included."""
        counter = Counter(finding.severity for finding in self.findings)
        return {severity.value: counter[severity] for severity in Severity}

    @property
    def good(self) -> bool:
        """True when no finding is an error."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """0 good, 3 the answer is no."""
        return 0 if self.good else 3
