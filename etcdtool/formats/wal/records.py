"""Frames and records of a WAL file, read in place and packed.

A frame is an 8-byte little-endian length field, the record, and padding to a multiple of 8.  The low 56 bits of the
length field count the record's bytes; its top byte is 0x80 | padding when there is padding, else 0.  etcd 2.x did not
pad.  A length field of 0 is space that was allocated in advance.

The record is ``walpb.Record {1 type, 2 crc, 3 data}``.  Its crc is the running CRC-32C over the data of all records of
all files so far; a record of type CRC has no data and carries that sum into a new file.

Upstream: ``server/storage/wal/{encoder,decoder}.go`` @ v3.7.1, ``wal/encoder.go`` @ release-2.3.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

import msgspec

from etcdtool.formats import wire
from etcdtool.formats.wire.fields import read_varint

__all__ = [
    "LENGTH_SIZE",
    "SECTOR_SIZE",
    "EntryHeader",
    "RecordType",
    "frame_sizes",
    "pack_frame",
    "parse_entry",
    "parse_record",
    "parses_as_record",
    "read_length",
]

LENGTH_SIZE = 8
SECTOR_SIZE = 512
"""A write that a crash interrupts is whole in some sectors of this size and absent in others."""

_LENGTH = Struct("<Q")
_HEAD = Struct("<BBBIBB")
_RECORD_SIZE_MASK = (1 << 56) - 1
_PADDED = 0x80
_ALIGNMENT = 8
_STATE_SIZE_MAX = 3 * 11
_U32_MAX = (1 << 32) - 1


class RecordType(IntEnum):
    """What a record's data are."""

    METADATA = 1
    ENTRY = 2
    STATE = 3
    CRC = 4
    SNAPSHOT = 5


class EntryHeader(msgspec.Struct, frozen=True, gc=False):
    """A raft entry, with its data as a place in the file, or as bytes where they have no single place."""

    type: int
    term: int
    index: int
    data_start: int
    data_stop: int
    data: bytes | None


def read_length(data: memoryview, offset: int) -> int:
    """Return the raw length field at ``offset``, which must lie 8 bytes before the end."""
    length: int = _LENGTH.unpack_from(data, offset)[0]
    return length


def frame_sizes(length: int) -> tuple[int, int] | None:
    """Split a length field: (record size, padding size), both in bytes; None if no writer makes such a field.

    3.x pads to a multiple of 8, 2.x not at all; upstream's reader takes any padding.
    """
    top = length >> 56
    if not top:
        return length, 0
    size = length & _RECORD_SIZE_MASK
    padding = -size % _ALIGNMENT
    return (size, padding) if padding and top == _PADDED | padding else None


def parse_record(data: memoryview, start: int, stop: int) -> tuple[int, int, int, int] | None:
    """Parse the record in ``data[start:stop]`` where it has the layout that every server writes.

    Returns:
        (type, crc, data start, data stop); None for another layout, which the generated parser then judges.
    """
    if stop - start < _HEAD.size:
        return _parse_varied_record(data, start, stop)
    tag, record_type, crc_tag, low, high, data_tag = _HEAD.unpack_from(data, start)
    is_usual = tag == 0x08 and crc_tag == 0x10 and data_tag == 0x1A and record_type < 0x80
    if not is_usual or low & 0x80808080 != 0x80808080 or high > 0x0F:
        return _parse_varied_record(data, start, stop)
    # a checksum is a varint of five bytes, unless it happens to be below 2^28
    crc = low & 0x7F | low >> 1 & 0x3F80 | low >> 2 & 0x1FC000 | low >> 3 & 0xFE00000 | high << 28
    size = read_varint(data, start + _HEAD.size, stop)
    if size is None or size[0] != stop - size[1]:
        return None
    return record_type, crc, size[1], stop


def _parse_varied_record(data: memoryview, start: int, stop: int) -> tuple[int, int, int, int] | None:
    if stop - start < 4 or data[start] != 0x08 or data[start + 2] != 0x10 or data[start + 1] > 0x7F:
        return None
    crc = read_varint(data, start + 3, stop)
    if crc is None or crc[0] > _U32_MAX:
        return None
    value, at = crc
    if at == stop:
        return data[start + 1], value, stop, stop
    if data[at] != 0x1A:
        return None
    size = read_varint(data, at + 1, stop)
    if size is None or size[0] != stop - size[1]:
        return None
    return data[start + 1], value, size[1], stop


def parse_entry(data: memoryview, start: int, stop: int) -> EntryHeader:
    """Parse the raftpb.Entry in ``data[start:stop]``; ``DecodeError`` as the generated parser raises it."""
    header = _parse_entry_in_place(data, start, stop)
    if header is not None:
        return header
    entry = wire.raft_pb2.Entry.FromString(data[start:stop].tobytes())
    return EntryHeader(entry.Type, entry.Term, entry.Index, 0, 0, entry.Data)


def pack_frame(record_type: int, data: bytes | None, crc: int, *, padded: bool = True) -> bytes:
    """Return a framed record.

    Args:
        record_type: a `RecordType`, or anything a test wants.
        data: the record's data; None leaves the field out.
        crc: the running sum including this record's data.
        padded: pad to 8 as 3.x does; 2.x did not.
    """
    record = wire.wal_pb2.Record(type=record_type, crc=crc, data=data).SerializeToString()
    padding = -len(record) % _ALIGNMENT if padded else 0
    top = _PADDED | padding if padding else 0
    return _LENGTH.pack(len(record) | top << 56) + record + bytes(padding)


def _parse_entry_in_place(data: memoryview, start: int, stop: int) -> EntryHeader | None:
    """Entries up to 3.6 hold type, term, index and perhaps data; those of 3.7 leave a type of 0 out."""
    at, entry_type = start, 0
    if stop - at >= 2 and data[at] == 0x08:
        entry_type = data[at + 1]
        at += 2
    if entry_type > 0x7F or at >= stop or data[at] != 0x10:
        return None
    term = read_varint(data, at + 1, stop)
    if term is None or term[1] >= stop or data[term[1]] != 0x18:
        return None
    index = read_varint(data, term[1] + 1, stop)
    if index is None:
        return None
    at = index[1]
    if at == stop:
        return EntryHeader(entry_type, term[0], index[0], stop, stop, None)
    size = read_varint(data, at + 1, stop) if data[at] == 0x22 else None
    if size is None or size[0] != stop - size[1]:
        return None
    return EntryHeader(entry_type, term[0], index[0], size[1], stop, None)


def parses_as_record(data: memoryview, start: int, stop: int) -> bool:
    """Tell whether the bytes are a record whose data are what its type says, without looking at its checksum.

    Takes the same short time whatever the bytes are, and knows the layouts of real writers only.
    """
    record = parse_record(data, start, stop)
    if record is None:
        return False
    record_type, _, data_start, data_stop = record
    if record_type == RecordType.ENTRY:
        entry = _parse_entry_in_place(data, data_start, data_stop)
        return entry is not None and entry.term > 0 and entry.index > 0
    if record_type == RecordType.STATE:
        return _parses_as_state(data, data_start, data_stop)
    return record_type in (RecordType.METADATA, RecordType.CRC, RecordType.SNAPSHOT)


def _parses_as_state(data: memoryview, start: int, stop: int) -> bool:
    if stop - start > _STATE_SIZE_MAX:
        return False
    try:
        return wire.raft_pb2.HardState.FromString(data[start:stop].tobytes()).term > 0
    except wire.DecodeError:
        return False
