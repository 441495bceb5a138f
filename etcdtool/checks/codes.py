"""What a check file declares of each code it can yield, so that the page of findings is made from the same place."""

from __future__ import annotations

from dataclasses import dataclass

from etcdtool.findings import Finding, Severity

__all__ = ["Code"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A code of findings.

    Attributes:
        code: stable, dotted: ``container.cut-short``.
        severity: how much it matters when nothing else is known.
        meaning: what was found, one or two sentences.
        remedy: what to do about it.
    """

    code: str
    severity: Severity
    meaning: str
    remedy: str

    def finding(self, where: str, detail: str, *, offset: int | None = None, hint: str = "") -> Finding:
        """Return a finding of this code."""
        return Finding(code=self.code, severity=self.severity, where=where, detail=detail, offset=offset, hint=hint)
