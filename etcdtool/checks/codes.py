"""What a check file declares of each code it can yield, so that the page of findings is made from the same place."""

from __future__ import annotations

from dataclasses import dataclass

from etcdtool.findings import Finding, Severity

__all__ = ["Code", "shown"]

_SHOWN_SIZE = 200


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


def shown(name: bytes) -> str:
    """Return a key or a name as a finding shows it: as text where it is text, and not without end."""
    text = name[:_SHOWN_SIZE].decode("utf-8", "backslashreplace")
    return f"{text}…" if len(name) > _SHOWN_SIZE else text
