"""Keep findings readable: a damaged page can yield thousands of one kind."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from etcdtool.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Limiter", "limited"]

_FINDINGS_PER_CODE_MAX = 100


class Limiter:
    """Lets the first findings of each code through, and counts the others."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._beyond: dict[str, Finding] = {}

    def pass_on(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """Yield those that are among the first of their code."""
        for finding in findings:
            self._counts[finding.code] += 1
            if self._counts[finding.code] <= _FINDINGS_PER_CODE_MAX:
                yield finding
            else:
                self._beyond.setdefault(finding.code, finding)

    def summary(self) -> Iterator[Finding]:
        """Yield one finding for each code of which some were left out."""
        for code, finding in self._beyond.items():
            detail = f"{self._counts[code] - _FINDINGS_PER_CODE_MAX} more findings like this"
            yield Finding(code=code, severity=finding.severity, where="file", detail=detail)


def limited(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the first findings of each code, then how many were left out."""
    limiter = Limiter()
    yield from limiter.pass_on(findings)
    yield from limiter.summary()
