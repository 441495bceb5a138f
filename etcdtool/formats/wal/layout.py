"""Bytes of a WAL that no checksum covers: padding, and how a record's own fields are written.

A server takes any; yet every server writes them in one way, so another way means that the file was changed.
Upstream: ``server/storage/wal/encoder.go`` @ v3.7.1.
"""

from __future__ import annotations

from collections.abc import Iterator  # noqa: TC003  documented types stay readable at run time
from struct import Struct

from etcdtool.formats.wal.records import LENGTH_SIZE, frame_sizes, pack_frame, parse_record, read_length
from etcdtool.formats.wal.segments import Segment  # noqa: TC001  documented types stay readable at run time

__all__ = ["odd_frames"]

_HEAD = Struct("<BBBIBBB")
_TAGS = (0x08, 0x10, 0x1A)


def odd_frames(segment: Segment) -> Iterator[int]:
    """Yield the offset of each frame that is not written as servers write it, up to the first unreadable one."""
    data, offset = segment.data, 0
    while offset + LENGTH_SIZE <= len(data) and (length := read_length(data, offset)):
        sizes = frame_sizes(length)
        start = offset + LENGTH_SIZE
        if sizes is None or start + sum(sizes) > len(data):
            return
        stop, end = start + sizes[0], start + sum(sizes)
        if any(data[stop:end]) or not _is_usual(data[start:stop]):
            yield offset
        offset = end


def _is_usual(record: memoryview) -> bool:
    """Tell whether packing what was read gives the same bytes again."""
    if len(record) > _HEAD.size:
        tag, record_type, crc_tag, low, high, data_tag, size = _HEAD.unpack_from(record)
        if (
            (tag, crc_tag, data_tag) == _TAGS
            and record_type < 0x80
            and low & 0x80808080 == 0x80808080
            and 0 < high <= 0x0F
            and size == len(record) - _HEAD.size
            and size < 0x80
        ):
            return True  # most records: a checksum of five bytes, data of less than 128
    parsed = parse_record(record, 0, len(record))
    if parsed is None:
        return False
    record_type, crc, start, stop = parsed
    contents = [record[start:stop].tobytes(), *([] if stop > start else [None])]
    return any(pack_frame(record_type, data, crc, padded=False)[LENGTH_SIZE:] == record for data in contents)
