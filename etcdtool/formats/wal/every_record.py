"""Every record of a log that can still be read, and every place where it is damaged: reading never ends early.

`etcdtool.formats.wal.frames` stops where a server would have to; this goes on.  A record whose checksum is wrong is
given with a note, and the sum that it stores is taken for right, so that the next one can be proven again.  Where not
even a frame can be made out, the next bytes that read as a record are looked for.
Spec: ``docs/formats/wal.md``; upstream: ``tools/etcd-dump-logs/raw.go`` @ v3.7.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from etcdtool.formats import wire
from etcdtool.formats.digest import crc32c
from etcdtool.formats.wal import damage
from etcdtool.formats.wal.records import LENGTH_SIZE, RecordType, frame_sizes, parse_record, read_length

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from etcdtool.formats.wal.segments import Segment

__all__ = ["Damage", "LogRecord", "iter_all_records"]

_CRC = int(RecordType.CRC)
_ALIGNMENT = 8


class LogRecord(msgspec.Struct, frozen=True, gc=False):
    """A record.

    Attributes:
        segment: number of its file among those that are read, from 0.
        offset: of its frame, in that file.
        number: of the record in its file, from 0, as far as records could be told.
        type: a `RecordType`, or a number that no version knows.
        crc: as stored.
        data: its data.
        proven: whether the running checksum vouches for it.
    """

    segment: int
    offset: int
    number: int
    type: int
    crc: int
    data: memoryview
    proven: bool


@dataclass(frozen=True, slots=True)
class Damage:
    """A place that is not as a server wrote it.

    Attributes:
        segment, offset, number: where, as of `LogRecord`.
        problem: what is off.
        is_tail: nothing that reads as a record comes behind it in the last file: a write that a crash cut off.
    """

    segment: int
    offset: int
    number: int
    problem: str
    is_tail: bool = False


def iter_all_records(segments: Sequence[Segment]) -> Iterator[LogRecord | Damage]:
    """Yield everything in the order in which it stands in the files."""
    reader = _Reader(None)
    for number, segment in enumerate(segments):
        yield from reader.read(number, segment, is_last=number == len(segments) - 1)


class _Frame(NamedTuple):
    """What stands at an offset: a record, or what is wrong; neither where the file ends.

    Attributes:
        record: type, stored checksum, data.
        stop: where the next frame begins.
        problem: why there is no record.
        may_be_torn: whether a crash can have left that.
    """

    record: tuple[int, int, memoryview] | None
    stop: int
    problem: str = ""
    may_be_torn: bool = False


def _frame_at(data: memoryview, offset: int) -> _Frame:
    if len(data) - offset < LENGTH_SIZE or not (length := read_length(data, offset)):
        rest = damage.last_nonzero(data, offset)
        if rest is None:
            return _Frame(None, offset)
        problem = f"no record begins here, and {rest + 1 - offset} more bytes are written"
        return _Frame(None, offset, problem, may_be_torn=len(data) - offset < LENGTH_SIZE)
    sizes = frame_sizes(length)
    if sizes is None:
        return _Frame(None, offset, f"no server writes a length field of {length:#018x}")
    start = offset + LENGTH_SIZE
    stop = start + sum(sizes)
    if stop > len(data):
        problem = f"the record says {sizes[0]} bytes, {stop - len(data)} more than the file has"
        return _Frame(None, offset, problem, may_be_torn=True)
    return _parsed(data, start, start + sizes[0], stop)


def _parsed(data: memoryview, start: int, end: int, stop: int) -> _Frame:
    found = parse_record(data, start, end)
    if found is not None:
        record_type, crc, data_start, data_stop = found
        return _Frame((record_type, crc, data[data_start:data_stop]), stop)
    try:
        message = wire.wal_pb2.Record.FromString(data[start:end].tobytes())
    except wire.DecodeError:
        torn = damage.has_zero_sector(data, start, stop)
        return _Frame(None, start - LENGTH_SIZE, "the frame holds no walpb.Record message", may_be_torn=torn)
    return _Frame((message.type, message.crc, memoryview(message.data)), stop)


@dataclass(slots=True)
class _Reader:
    """A position in the log.

    Attributes:
        crc: running checksum; None where it is not known, so that the next record's is taken for right.
        other: what it would be if the last record's stored sum was what is damaged.
    """

    crc: int | None
    other: int | None = None

    def read(self, segment: int, file: Segment, *, is_last: bool) -> Iterator[LogRecord | Damage]:
        data = file.data
        offset = number = 0
        while True:
            frame = self._settled_frame(file, offset)
            if frame.record is None and frame.problem:
                own = self._by_its_own_size(data, offset)
                later = own.stop if own is not None else damage.next_record(data, offset + 1)
                torn = frame.may_be_torn and later is None and is_last
                yield Damage(segment, offset, number, frame.problem, is_tail=torn)
                if own is None:
                    self.crc = self.other = None
                    if later is None:
                        return
                    offset = later
                    continue
                frame = own
            if frame.record is None:
                return
            record_type, stored, content = frame.record
            proven, wrong = self._prove(record_type, stored, content)
            if wrong:
                is_torn = is_last and damage.has_zero_sector(data, offset + LENGTH_SIZE, frame.stop)
                is_torn = is_torn and damage.next_record(data, frame.stop) is None
                yield Damage(segment, offset, number, wrong, is_tail=is_torn)
                if is_torn:
                    return
            yield LogRecord(segment, offset, number, record_type, stored, content, proven)
            offset, number = frame.stop, number + 1

    def _by_its_own_size(self, data: memoryview, offset: int) -> _Frame | None:
        """Return the record behind a damaged length field, if its checksum proves it whole."""
        start = offset + LENGTH_SIZE
        size = damage.size_of_own(data, start, self.crc) if self.crc is not None and start < len(data) else None
        found = parse_record(data, start, start + size) if size is not None else None
        if found is None or size is None:
            return None
        record_type, crc, data_start, data_stop = found
        return _Frame((record_type, crc, data[data_start:data_stop]), start + size + -size % _ALIGNMENT)

    def _settled_frame(self, file: Segment, offset: int) -> _Frame:
        frame, looks = _frame_at(file.data, offset), 0
        while file.read_again is not None and not self._is_sound(frame) and not file.is_settled(offset, looks):
            frame, looks = _frame_at(file.data, offset), looks + 1
        return frame

    def _is_sound(self, frame: _Frame) -> bool:
        """Tell whether there is no record, or one that the running checksum vouches for, without moving it on."""
        if frame.record is None:
            return not frame.problem
        before = self.crc, self.other
        _, wrong = self._prove(*frame.record)
        self.crc, self.other = before
        return not wrong

    def _prove(self, record_type: int, stored: int, content: memoryview) -> tuple[bool, str]:
        """Move the running checksum on; return whether it vouches for the record, and what is wrong."""
        if self.crc is None:
            proven = record_type == _CRC
            self.crc, self.other = stored, None
            return proven, ""
        candidates = [self.crc] if self.other is None else [self.crc, self.other]
        sums = [one if record_type == _CRC else crc32c(content, one) for one in candidates]
        if stored in sums:
            self.crc, self.other = stored, None
            return True, ""
        self.crc, self.other = stored, sums[0]
        return False, f"wrong checksum: stored {stored:08x}, computed {sums[0]:08x}"
