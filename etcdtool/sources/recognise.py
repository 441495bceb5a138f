"""What is this file? Told from its first bytes, never from its name.

The name only helps to say what went wrong: a ``.part`` file is a download that did not end.
"""

from __future__ import annotations

import struct
from enum import Enum

__all__ = ["HEAD_SIZE", "Kind", "recognise", "refusal"]

HEAD_SIZE = 4096
"""Bytes from the start of a file that `recognise` wants to see."""


class Kind(Enum):
    """What a file holds; the value is what a person is told."""

    EMPTY = "an empty file"
    ZEROS = "nothing but zero bytes"
    BBOLT = "a bbolt database"
    BBOLT_BIG_ENDIAN = "a bbolt database of a big-endian machine"
    SNAP = "a v2 snapshot (.snap)"
    WAL = "a WAL segment"
    JSON = "JSON text"
    GZIP = "gzip"
    ZSTD = "zstd"
    TAR = "a tar archive"
    XZ = "xz"
    BZIP2 = "bzip2"
    ZIP = "a zip archive"
    LMDB = "an LMDB database"
    SQLITE = "a SQLite database"
    UNKNOWN = "no format that etcd uses"


_MAGIC = (
    (0, b"\x1f\x8b", Kind.GZIP),
    (0, b"\x28\xb5\x2f\xfd", Kind.ZSTD),
    *((0, bytes([low]) + b"\x2a\x4d\x18", Kind.ZSTD) for low in range(0x50, 0x60)),  # skippable: pzstd begins so
    (257, b"ustar", Kind.TAR),
    (0, b"\xfd7zXZ\x00", Kind.XZ),
    (0, b"BZh", Kind.BZIP2),
    (0, b"PK\x03\x04", Kind.ZIP),
    (0, b"SQLite format 3\x00", Kind.SQLITE),
    (16, b"\xed\xda\x0c\xed", Kind.BBOLT),
    (16, b"\xed\x0c\xda\xed", Kind.BBOLT_BIG_ENDIAN),
    (16, b"\xde\xc0\xef\xbe", Kind.LMDB),
    (24, b"\xde\xc0\xef\xbe", Kind.LMDB),
)

# the first record of every WAL file is a crc record: length, then field 1 (type) = 4, field 2 (crc)
_WAL_START = struct.Struct("<QBBB")
_WAL_CRC_RECORD = (0x08, 0x04, 0x10)


def recognise(head: bytes | memoryview, size: int) -> Kind:
    """Tell what a file holds.

    Args:
        head: its first bytes, up to `HEAD_SIZE`.
        size: its whole size.
    """
    start = bytes(head[:HEAD_SIZE])
    if size == 0:
        return Kind.EMPTY
    by_magic = (kind for offset, magic, kind in _MAGIC if start.startswith(magic, offset))
    by_shape = (kind for kind, fits in _SHAPES if fits(start))
    return next(by_magic, None) or next(by_shape, Kind.UNKNOWN)


def _starts_as_wal(start: bytes) -> bool:
    if len(start) < _WAL_START.size:
        return False
    length, *payload = _WAL_START.unpack_from(start)
    return (length & ((1 << 56) - 1)) < HEAD_SIZE and tuple(payload) == _WAL_CRC_RECORD


def _starts_as_snap(start: bytes) -> bool:
    # snappb.snapshot: field 1 varint (the crc, at most 5 bytes), then field 2, length-delimited
    if start[:1] != b"\x08":
        return False
    end = next((place for place in range(1, min(7, len(start))) if start[place] < 0x80), None)
    return end is not None and start[end + 1 : end + 2] == b"\x12"


def _starts_as_json(start: bytes) -> bool:
    return start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"["}


def _is_zeros(start: bytes) -> bool:
    return not start.strip(b"\0")


_SHAPES = (
    (Kind.WAL, _starts_as_wal),
    (Kind.SNAP, _starts_as_snap),
    (Kind.JSON, _starts_as_json),
    (Kind.ZEROS, _is_zeros),
)


def refusal(kind: Kind, name: str) -> str:
    """Say why a file of this kind is of no use here, and what to do instead; "" where there is nothing to add."""
    if name.endswith(".part"):
        return "The name says that it is a download that did not end; make the snapshot again."
    return {
        Kind.EMPTY: "Whatever made it did not get as far as the first byte.",
        Kind.ZEROS: "The file system lost its content; look for another copy.",
        Kind.BBOLT_BIG_ENDIAN: "Convert it on a machine of that kind.",
        Kind.XZ: "Unpack it with xz -d first.",
        Kind.BZIP2: "Unpack it with bzip2 -d first.",
        Kind.ZIP: "Unpack it with unzip first.",
        Kind.LMDB: "etcd does not use LMDB; look for member/snap/db or a .snap file.",
        Kind.SQLITE: "It may be the datastore of k3s (kine), which is not etcd's.",
    }.get(kind, "")
