"""The records of one WAL file, one after the other, each proved by the running checksum.

What ends a file: its last byte, a length field of 0 with only zeros behind it, or, in the last file, a torn write.
Everything else raises, with the reason that the bytes support best; beside a running server, when the bytes have stayed
as they are for a moment.

Upstream: ``server/storage/wal/decoder.go`` @ v3.7.1.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import NoReturn

from etcdtool.errors import ChecksumError, FormatError
from etcdtool.findings import Finding, Severity
from etcdtool.formats import wire
from etcdtool.formats.digest import crc32c
from etcdtool.formats.wal import damage
from etcdtool.formats.wal.records import (
    LENGTH_SIZE,
    RecordType,
    frame_sizes,
    parse_record,
    read_length,
)
from etcdtool.formats.wal.segments import Segment  # noqa: TC001  documented types stay readable at run time

__all__ = ["SegmentReader"]

_CRC = int(RecordType.CRC)  # looked at for every record

_HINT_DAMAGE = "Use another member's data or a backup: records from here on cannot be trusted."
_HINT_TORN = "A crash, or a copy of a running member, leaves such an end; what it held was never acknowledged."
_HINT_AFTER_END = (
    "Either a crash tore the last write, or a damaged length field hides records. Compare with another member's log."
)

_Judge = Callable[[], None]

Record = tuple[int, memoryview, int, int]
"""Type, the bytes the data lie in (the segment's own where the layout is the usual one), data start, data stop."""


class SegmentReader:
    """Gives the records of one segment.

    Attributes:
        crc: running checksum; None before the first record of the first file, which may start with any.
        offset: where the frame being read begins; at the end, where the valid records end.  Who has read records by
            other means sets this and ``crc`` to go on behind them.
        torn_bytes: from ``offset`` to the last byte that is not zero, where the end is not clean.
        findings: what was met on the way.
    """

    __slots__ = ("_data", "_is_last", "_segment", "crc", "findings", "offset", "torn_bytes")

    def __init__(self, segment: Segment, crc: int | None, *, is_last: bool) -> None:
        self._segment = segment
        self._data = segment.data
        self._is_last = is_last
        self.crc = crc
        self.offset = 0
        self.torn_bytes = 0
        self.findings: list[Finding] = []

    def records(self, until: int = sys.maxsize) -> Iterator[Record]:
        """Yield the records that begin before this offset; raises as the module says."""
        looked_at, looks = -1, 0
        while (judge := (yield from self._whole_records(until))) is not None:
            if self.offset != looked_at:
                looked_at, looks = self.offset, 0
            if self._segment.is_settled(self.offset, looks):
                judge()
                return
            looks += 1

    def _whole_records(self, until: int) -> Generator[Record, None, _Judge | None]:
        """Yield records; return what to do about bytes that are none, or None for a clean end."""
        data, size_of_file = self._data, len(self._data)
        while self.offset < until:
            if size_of_file - self.offset < LENGTH_SIZE or not (length := read_length(data, self.offset)):
                return self._end()
            sizes = frame_sizes(length)
            if sizes is None:
                return partial(self._damaged_length, f"no server writes a length field of {length:#018x}")
            size, padding = sizes
            start = self.offset + LENGTH_SIZE
            stop = start + size + padding
            if stop > size_of_file:
                problem = f"says {size} bytes, {stop - size_of_file} more than the file has"
                return partial(self._bad_frame, problem, size, is_torn=True)
            record = parse_record(data, start, start + size)
            if record is None:
                message = _parse_other_layout(data, start, start + size)
                if message is None:
                    is_torn = damage.has_zero_sector(data, start, stop)
                    return partial(self._bad_frame, "is no walpb.Record message", size, is_torn=is_torn)
                content = memoryview(message.data)
                record_type, stored, data_start, data_stop = message.type, message.crc, 0, len(content)
            else:
                content = data
                record_type, stored, data_start, data_stop = record
            computed = self.crc or 0
            if record_type != _CRC:
                computed = crc32c(content[data_start:data_stop], computed)
            elif self.crc is None:
                computed = stored
            if computed != stored:
                return partial(self._bad_sum, record_type, stored, computed, size, stop)
            self.crc = computed
            yield record_type, content, data_start, data_stop
            self.offset = stop
        return None

    def _end(self) -> _Judge | None:
        """Return what to do about an end, None for one with only zeros behind it."""
        if damage.first_nonzero(self._data, self.offset) is None:
            return None
        if len(self._data) - self.offset < LENGTH_SIZE:
            return partial(self._bad_frame, "the file ends within its length field", 0, is_torn=True)
        return self._data_after_end

    def _data_after_end(self) -> None:
        """A length field is zero, as if nothing had been written, and bytes follow."""
        own = damage.size_of_own(self._data, self.offset + LENGTH_SIZE, self.crc or 0)
        if own is not None:
            self._damaged_length(f"the length field is zero, and a whole record of {own} bytes follows it")
        later = damage.next_record(self._data, self.offset + 1)
        if later is not None:
            self._damaged_length(f"the length field is zero, and records follow at offset {later:#x}")
        if not self._is_last:
            self._damaged_length("the length field is zero, and bytes that are no record follow it")
        self._count_torn_bytes()
        self.findings.append(
            Finding(
                code="wal.data-after-end",
                severity=Severity.ERROR,
                where=self._segment.name,
                offset=self.offset,
                detail=f"the length field is zero, and {self.torn_bytes} bytes that are no record follow it",
                hint=_HINT_AFTER_END,
            )
        )

    def _bad_sum(self, record_type: int, stored: int, computed: int, size: int, stop: int) -> None:
        what = "wal checksum record" if record_type == _CRC else "wal record"
        is_torn = damage.has_zero_sector(self._data, self.offset + LENGTH_SIZE, stop)
        error = ChecksumError(
            what, stored=stored, computed=computed, offset=self.offset, where=self._segment.name, hint=_HINT_DAMAGE
        )
        self._bad_frame("has a wrong checksum", size, is_torn=is_torn, error=error)

    def _bad_frame(self, problem: str, size: int, *, is_torn: bool, error: FormatError | None = None) -> None:
        """Note a torn tail, or raise.

        Args:
            problem: what is wrong with the frame at ``offset``.
            size: what its length field says, in bytes.
            is_torn: it looks like a write that a crash interrupted.
            error: what to raise if nothing explains the problem better.
        """
        own = damage.size_of_own(self._data, self.offset + LENGTH_SIZE, self.crc or 0)
        if own is not None and own != size:
            self._damaged_length(f"the length field says {size} bytes, and the record in it has {own}")
        if not (is_torn and self._is_last):
            raise error or FormatError(
                "wal record", problem, offset=self.offset, where=self._segment.name, hint=_HINT_DAMAGE
            )
        later = damage.next_record(self._data, self.offset + 1)
        if later is not None:
            self._damaged_length(f"the record {problem}, and others follow at offset {later:#x}")
        self._count_torn_bytes()
        self.findings.append(
            Finding(
                code="wal.torn-tail",
                severity=Severity.WARNING,
                where=self._segment.name,
                offset=self.offset,
                detail=f"the last write is incomplete: the record {problem}; {self.torn_bytes} bytes are left out",
                hint=_HINT_TORN,
            )
        )

    def _count_torn_bytes(self) -> None:
        last = damage.last_nonzero(self._data, self.offset)
        self.torn_bytes = 0 if last is None else last + 1 - self.offset

    def _damaged_length(self, problem: str) -> NoReturn:
        raise self._error(problem)

    def _error(self, problem: str) -> FormatError:
        return FormatError("wal record", problem, offset=self.offset, where=self._segment.name, hint=_HINT_DAMAGE)


def _parse_other_layout(data: memoryview, start: int, stop: int) -> wire.wal_pb2.Record | None:
    try:
        return wire.wal_pb2.Record.FromString(data[start:stop].tobytes())
    except wire.DecodeError:
        return None
