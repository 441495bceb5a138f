"""Is a bad frame the torn end of the log, or damage with records behind it?

Upstream takes any frame it cannot read in the last file for a write that a crash tore, if a 512-byte sector of it is
zero or it reaches past the end of the file, and starts without everything that follows.  A damaged length field looks
just like that: 3.4 was seen to start with committed keys lost.  Here a tail counts as torn only when nothing behind it
can be read as a record.

Upstream: ``isTornEntry`` in ``server/storage/wal/decoder.go`` @ v3.7.1.
"""

from __future__ import annotations

import re

from etcdtool.formats.digest import crc32c
from etcdtool.formats.wal.records import (
    LENGTH_SIZE,
    SECTOR_SIZE,
    RecordType,
    frame_sizes,
    parses_as_record,
    read_length,
)
from etcdtool.formats.wire.fields import read_varint

__all__ = ["first_nonzero", "has_zero_sector", "last_nonzero", "next_record", "size_of_own"]

_CHUNK_SIZE = 1 << 20
_ZEROS = bytes(_CHUNK_SIZE)
# bytes 4 to 7 of a length field below 4 GB, then tag and type and the crc field's tag of a record
_FRAME = re.compile(rb"\x00\x00\x00[\x00\x81-\x87]\x08[\x01-\x05]\x10")
_FRAME_LEAD = 4


def first_nonzero(data: memoryview, start: int) -> int | None:
    """Return the offset of the first byte from ``start`` on that is not zero, or None."""
    for at in range(start, len(data), _CHUNK_SIZE):
        chunk = data[at : at + _CHUNK_SIZE].tobytes()
        if chunk != _ZEROS[: len(chunk)]:
            return at + len(chunk) - len(chunk.lstrip(b"\0"))
    return None


def last_nonzero(data: memoryview, start: int) -> int | None:
    """Return the offset of the last byte from ``start`` on that is not zero, or None."""
    for stop in range(len(data), start, -_CHUNK_SIZE):
        chunk = data[max(start, stop - _CHUNK_SIZE) : stop].tobytes()
        if chunk != _ZEROS[: len(chunk)]:
            return stop - len(chunk) + len(chunk.rstrip(b"\0")) - 1
    return None


def has_zero_sector(data: memoryview, start: int, stop: int) -> bool:
    """Tell whether a sector's share of ``data[start:stop]`` is all zero: upstream's sign of a torn write."""
    at = start
    while at < stop:
        end = min(stop, at + SECTOR_SIZE - at % SECTOR_SIZE)
        if not any(data[at:end]):
            return True
        at = end
    return False


def size_of_own(data: memoryview, start: int, running_crc: int) -> int | None:
    """Return the size of the record at ``start`` by its own fields, if its checksum proves it whole, else None.

    This is what a record's length field should have said.
    """
    stop = len(data)
    if stop - start < 4 or data[start] != 0x08 or data[start + 1] > 0x7F or data[start + 2] != 0x10:
        return None
    crc = read_varint(data, start + 3, stop)
    if crc is None:
        return None
    stored, end = crc
    data_start = end
    if end < stop and data[end] == 0x1A:
        size = read_varint(data, end + 1, stop)
        if size is None or size[0] > stop - size[1]:
            return None
        data_start, end = size[1], size[1] + size[0]
    is_chained = data[start + 1] == RecordType.CRC or end > data_start
    return end - start if is_chained and crc32c(data[data_start:end], running_crc) == stored else None


def next_record(data: memoryview, start: int) -> int | None:
    """Return the offset of the first frame behind ``start`` that reads as a record of the log, or None.

    Frames may begin at any byte: 2.x did not pad.  Linear in the bytes searched, whatever they hold.
    """
    end = last_nonzero(data, start)
    if end is None:
        return None
    at = start + _FRAME_LEAD
    while (match := _FRAME.search(data, at, end + 1)) is not None:
        frame = match.start() - _FRAME_LEAD
        if _reads_as_frame(data, frame):
            return frame
        at = match.start() + 1
    return None


def _reads_as_frame(data: memoryview, frame: int) -> bool:
    sizes = frame_sizes(read_length(data, frame))
    start = frame + LENGTH_SIZE
    return sizes is not None and start + sizes[0] <= len(data) and parses_as_record(data, start, start + sizes[0])
