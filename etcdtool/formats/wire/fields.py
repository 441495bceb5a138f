"""Protocol buffer fields read in place, for messages whose payload is large or that come by the hundred thousand.

Only the layout that real writers produce is known here: fields in order, each at most once.  Everything else answers
None, and the caller gives those bytes to the generated parser, which has the last word on what is valid.
"""

from __future__ import annotations

__all__ = ["expect_bytes", "read_varint"]

_VARINT_SIZE_MAX = 10
_U64_MAX = (1 << 64) - 1


def read_varint(data: memoryview | bytes, position: int, stop: int) -> tuple[int, int] | None:
    """Return the unsigned varint at ``position`` and the position behind it; None if it does not end by ``stop``."""
    if position >= stop:
        return None
    value = data[position]
    if value < 0x80:
        return value, position + 1
    value &= 0x7F
    shift = 7
    for at in range(position + 1, min(stop, position + _VARINT_SIZE_MAX)):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value, at + 1) if value <= _U64_MAX else None
        shift += 7
    return None


def expect_bytes(data: memoryview | bytes, position: int, stop: int, tag: int) -> tuple[int, int] | None:
    """Return where the payload of a length-delimited field with this one-byte tag starts and stops, or None."""
    if position >= stop or data[position] != tag:
        return None
    size = read_varint(data, position + 1, stop)
    if size is None or size[0] > stop - size[1]:
        return None
    return size[1], size[1] + size[0]
