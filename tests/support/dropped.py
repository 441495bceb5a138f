"""What a killed ``v2 drop`` left: the old state, a ``.snap`` that the log does not know, and so on to the new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from support import samples

if TYPE_CHECKING:
    from pathlib import Path

_HEAD_SIZE = 1 << 20
PLACES = [
    f"{step} {place}"
    for step in ("fsync 1", "link 1", "fsync 2", "pwrite 1", "fsync 3", "pwrite 2", "fsync 4")
    for place in ("before", "after")
]


@dataclass(frozen=True)
class State:
    """The files of a data dir: those that a drop may not touch, its new ``.snap``, and the log."""

    others: dict[str, str]
    snap: bytes
    log: bytes
    log_size: int

    @classmethod
    def of(cls, data_dir: Path, segment: str, snap: str) -> State:
        """Read a data dir; only the first megabyte of the log, behind which there are zeros."""
        others = {
            str(path.relative_to(data_dir)): samples.sha256(path)
            for path in sorted(data_dir.rglob("*"))
            if path.is_file() and path.name not in (segment, snap)
        }
        (log,) = data_dir.rglob(segment)
        with log.open("rb") as file:
            head = file.read(_HEAD_SIZE)
        found = list(data_dir.rglob(snap))
        return cls(others, found[0].read_bytes() if found else b"", head, log.stat().st_size)


def hold(left: State, old: State, new: State) -> str:
    """Tell what a kill left, which must be one of four things; everything else is as it was."""
    assert (left.others, left.log_size) == (old.others, old.log_size)
    assert left.snap in (b"", new.snap)
    if left.log == old.log:
        return "snap" if left.snap else "old"
    assert left.snap == new.snap
    if left.log == new.log:
        return "new"
    start = next(at for at, (mine, theirs) in enumerate(zip(old.log, new.log, strict=True)) if mine != theirs)
    assert left.log == new.log[:start] + bytes(8) + new.log[start + 8 :]
    return "record without its length"
