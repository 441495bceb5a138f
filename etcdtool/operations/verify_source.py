"""``verify`` for one source, whatever it is: opened, checked, closed, and found unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.operations.verify import verify
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from etcdtool.findings import Report

__all__ = ["VerifiedSource", "verify_source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSource:
    """A source that could be read, and what was found.

    Attributes:
        kind: what it was taken for, as a person is told.
        size: its bytes, unpacked.
        report: what was found.
    """

    kind: str
    size: int
    report: Report


def verify_source(path: Path, *, progress: Callable[[int, int], None] | None = None) -> VerifiedSource:
    """Check a snapshot, a database or what holds one.

    Args:
        path: a file or folder; ``-`` reads stdin.
        progress: is called with the bytes done and the bytes there are.

    Raises:
        EtcdtoolError: it cannot be read as what it should be, so that nothing can be said about it.
    """
    with open_database(path) as database:
        report = verify(database, progress=progress)
    return VerifiedSource(kind=database.kind, size=database.size, report=report)
