"""The files of a WAL folder: names, order, and which of them hold what comes after an index.

Upstream: ``server/storage/wal/util.go`` and ``wal.go`` @ v3.7.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence  # noqa: TC003  documented types stay readable at run time
from dataclasses import dataclass
from itertools import pairwise

from etcdtool.errors import FormatError

__all__ = ["Segment", "check_sequence", "parse_segment_name", "segment_name", "select"]

_NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})\.wal")
_LOOKS_MAX = 20  # of a damaged place in a log that goes on growing
_HINT_OTHER_FOLDER = "Look for it in the member's --wal-dir or in a backup of the folder."


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of the WAL.

    Attributes:
        name: the file's name, for messages.
        sequence: counts the files from 0.
        first_index: index of the first entry that was going to be written to it.
        data: the file's bytes.
        read_again: renews ``data`` from an offset on and tells whether that made a difference, for a file that a server
            is writing to: what was read of it can lack the beginning of a write that its end was read of.
    """

    name: str
    sequence: int
    first_index: int
    data: memoryview
    read_again: Callable[[int], bool] | None = None

    @classmethod
    def named(cls, name: str, data: memoryview) -> Segment:
        """Make a segment of a file's name and bytes; `FormatError` if it is no WAL name."""
        return cls(name, *parse_segment_name(name), data)

    def is_settled(self, offset: int, looks: int) -> bool:
        """Tell whether what stands at an offset has come to stay.

        Args:
            offset: where no whole record could be read; the bytes from there on are renewed if need be.
            looks: how often that was asked of this offset before.
        """
        return self.read_again is None or looks >= _LOOKS_MAX or not self.read_again(offset)


def parse_segment_name(name: str) -> tuple[int, int]:
    """Return (sequence, first index) of a file's name; `FormatError` if it is no ``.wal`` name."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise FormatError("wal file name", f"{name!r} is not <sequence>-<index>.wal in 16 hexadecimal digits each")
    return int(match[1], 16), int(match[2], 16)


def segment_name(sequence: int, first_index: int) -> str:
    """Return the name upstream gives the file."""
    return f"{sequence:016x}-{first_index:016x}.wal"


def select(segments: Sequence[Segment], index: int) -> list[Segment]:
    """Return the segments to read for what comes after ``index``, in order.

    Upstream's rule: from the last file whose first index is not above ``index``.

    Raises:
        FormatError: no file, none reaches back that far, or one is missing from there on.
    """
    ordered = sorted(segments, key=lambda segment: (segment.sequence, segment.first_index))
    if not ordered:
        raise FormatError("wal", "there is no .wal file", hint=_HINT_OTHER_FOLDER)
    starts = [at for at, segment in enumerate(ordered) if segment.first_index <= index]
    if not starts:
        raise FormatError(
            "wal",
            f"no file reaches back to index {index}: the oldest, {ordered[0].name}, starts at {ordered[0].first_index}",
            hint=_HINT_OTHER_FOLDER,
        )
    chosen = ordered[starts[-1] :]
    check_sequence(chosen)
    return chosen


def check_sequence(segments: Sequence[Segment]) -> None:
    """Raise a `FormatError` that names the gap when sequence numbers do not go up one by one."""
    for before, after in pairwise(segments):
        if after.sequence == before.sequence + 1:
            continue
        if after.sequence <= before.sequence:
            raise FormatError("wal", f"{before.name} and {after.name} are not in order", where=after.name)
        first, last = before.sequence + 1, after.sequence - 1
        missing = f"file {first:016x}-*.wal is" if first == last else f"files {first:016x} to {last:016x} are"
        raise FormatError("wal", f"{missing} missing between {before.name} and {after.name}", hint=_HINT_OTHER_FOLDER)
