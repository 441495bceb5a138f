"""The fields of a protobuf message, read as strictly as etcd's generated Go reads them.

``gogo/protobuf`` @ etcd v3.4.45 (``etcdserverpb/etcdserver.pb.go``).  The Python runtime takes a known field of a wrong
wire type for an unknown one; Go refuses the message, and whether it does decides how an entry of the log is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcdtool.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FIXED32", "FIXED64", "GROUP_END", "GROUP_START", "LENGTH", "VARINT", "iter_fields", "read_varint", "signed"]

VARINT, FIXED64, LENGTH, GROUP_START, GROUP_END, FIXED32 = range(6)

_FIXED_SIZES = {FIXED64: 8, FIXED32: 4}
_VARINT_SIZE_MAX = 10
_U64_MAX = (1 << 64) - 1
_I32_MAX, _U32_MAX = (1 << 31) - 1, (1 << 32) - 1
_SIGN_BIT = 1 << 63


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Return a varint's unsigned 64 bits and the position after it."""
    if position < len(data) and data[position] < 0x80:
        return data[position], position + 1
    value = 0
    for size in range(min(_VARINT_SIZE_MAX, len(data) - position)):
        byte = data[position + size]
        value |= (byte & 0x7F) << (7 * size)
        if byte < 0x80:
            return value & _U64_MAX, position + size + 1
    raise FormatError("protobuf message", "a varint is cut short or too long", offset=position)


def signed(value: int) -> int:
    """Return unsigned 64 bits as Go's int64."""
    return value - (1 << 64) if value & _SIGN_BIT else value


def iter_fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Yield number, wire type and value (int for a varint, else bytes) of each field; a group's value is b"".

    Raises:
        FormatError: where Go would refuse a message whatever its fields are; the offset counts in the message.
    """
    position = 0
    while position < len(data):
        start = position
        tag, position = read_varint(data, position)
        number, wire_type = (tag >> 3) & _U32_MAX, tag & 7
        if number == 0 or number > _I32_MAX or wire_type == GROUP_END:
            raise FormatError("protobuf message", f"illegal tag {tag}", offset=start)
        if wire_type == VARINT:
            value, position = read_varint(data, position)
            yield number, wire_type, value
            continue
        if wire_type == LENGTH:
            place = position
            size, position = read_varint(data, position)
            if size > len(data) - position:
                raise FormatError("protobuf message", "a field is cut short", offset=place)
            content = data[position : position + size]
            position += size
        else:
            stop = _skip_group(data, position) if wire_type == GROUP_START else _end_of(data, position, wire_type)
            content = b"" if wire_type == GROUP_START else data[position:stop]
            position = stop
        yield number, wire_type, content


def _end_of(data: bytes, position: int, wire_type: int) -> int:
    start = position
    if wire_type == VARINT:
        return read_varint(data, position)[1]
    if wire_type == LENGTH:
        size, position = read_varint(data, position)
    elif wire_type in _FIXED_SIZES:
        size = _FIXED_SIZES[wire_type]
    else:
        raise FormatError("protobuf message", f"illegal wire type {wire_type}", offset=start)
    if size > len(data) - position:
        raise FormatError("protobuf message", "a field is cut short", offset=start)
    return position + size


def _skip_group(data: bytes, position: int) -> int:
    depth = 1
    while depth:
        tag, position = read_varint(data, position)
        wire_type = tag & 7
        if wire_type == GROUP_START:
            depth += 1
        elif wire_type == GROUP_END:
            depth -= 1
        else:
            position = _end_of(data, position, wire_type)
    return position
