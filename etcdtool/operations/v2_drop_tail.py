"""The log of a data dir where an earlier ``v2 drop`` was killed between its two writes.

It leaves a record without its length field.  A server does not see it, and fills it with zeros; every reader of ours
calls it damage, since it could be.  Here it is left out, and kept for a look at whether it is our record.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from etcdtool.formats.wal.damage import last_nonzero
from etcdtool.formats.wal.records import LENGTH_SIZE, frame_sizes, read_length
from etcdtool.operations.verify_log import LogCheck

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etcdtool.formats.wal import Segment
    from etcdtool.sources import DataDir

__all__ = ["read_log"]

_RECORD_SIZE_MAX = 4096
_DOUBTFUL_END = {"wal.damaged", "wal.data-after-end"}


def read_log(parts: DataDir) -> tuple[LogCheck, bytes]:
    """Read log and ``.snap`` files, and return with them the bytes at the end that may be our own unfinished record.

    Raises:
        SourceError: a file cannot be opened or read.
    """
    check = LogCheck(parts=parts)
    check.read()
    if any(finding.code in _DOUBTFUL_END for finding in check.findings):
        without = _TailLeftOut(parts=parts)
        without.read()
        if without.left_out:
            return without, without.left_out
    return check, b""


class _TailLeftOut(LogCheck):
    """A check of a log that does not see what may be our own unfinished record.

    Attributes:
        left_out: the bytes from the end of the log on, b"" where there are only zeros.
    """

    __slots__ = ("left_out",)

    left_out: bytes

    def _segments(self) -> Iterator[Segment]:
        self.left_out = b""
        segments = list(super()._segments())
        last = max(segments, key=lambda segment: (segment.sequence, segment.first_index), default=None)
        for segment in segments:
            yield self._without_tail(segment) if segment is last else segment

    def _without_tail(self, segment: Segment) -> Segment:
        data = segment.data
        end = _end_of_frames(data)
        last = last_nonzero(data, end) if end is not None else None
        if end is None or last is None or last >= end + _RECORD_SIZE_MAX:
            return segment
        self.left_out = bytes(data[end : last + 1])
        whole = bytearray(data)
        whole[end : last + 1] = bytes(len(self.left_out))
        return replace(segment, data=memoryview(whole))


def _end_of_frames(data: memoryview) -> int | None:
    """Return where the first length field is zero; None where there is none, or the frames do not lead there."""
    offset = 0
    while offset + LENGTH_SIZE <= len(data):
        length = read_length(data, offset)
        if not length:
            return offset
        sizes = frame_sizes(length)
        if sizes is None:
            return None
        offset += LENGTH_SIZE + sum(sizes)
    return None
