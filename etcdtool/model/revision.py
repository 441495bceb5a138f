"""Revisions as they stand in bucket ``key``: main and sub, 17 bytes, or 18 where a key was deleted.

Layout (big-endian): main uint64 · ``_`` · sub uint64 · ``t`` for a tombstone.
Format: docs/formats/mvcc.md, "Revision keys"; upstream: ``server/storage/mvcc/revision.go`` @ v3.6.14, v3.7.1.
"""

from __future__ import annotations

import struct

import msgspec

from etcdtool.errors import FormatError

__all__ = ["MAIN_MAX", "REVISION_SIZE", "SEPARATOR", "TOMBSTONE_MARK", "TOMBSTONE_SIZE", "Revision", "pack_revision"]

_REVISION = struct.Struct(">QBQ")
REVISION_SIZE = 17
TOMBSTONE_SIZE = 18
assert _REVISION.size == REVISION_SIZE
SEPARATOR = 0x5F  # "_"
TOMBSTONE_MARK = 0x74  # "t"
MAIN_MAX = (1 << 63) - 1
"""Both numbers are int64 in upstream; with the top bit set a 3.6 server panics."""


class Revision(msgspec.Struct, frozen=True, order=True, gc=False):
    """One change of the store; ordered as its bytes are.

    Attributes:
        main: number of the transaction.
        sub: number of the change in that transaction, from 0.
        tombstone: whether the change deleted its key.
    """

    main: int
    sub: int = 0
    tombstone: bool = False

    @classmethod
    def parse(cls, key: bytes | memoryview, *, offset: int | None = None) -> Revision:
        """Read a key of bucket ``key``.

        An 18-byte key with another last byte than ``t`` is an ordinary revision, as it is for upstream.

        Args:
            key: the 17 or 18 bytes.
            offset: where they lie in the file, for the error.

        Raises:
            FormatError: another length, another separator, or a number that is negative for upstream.
        """
        if len(key) not in (REVISION_SIZE, TOMBSTONE_SIZE):
            raise FormatError("revision key", f"invalid revision length: {len(key)}", offset=offset)
        main, separator, sub = _REVISION.unpack_from(key)
        if separator != SEPARATOR:
            raise FormatError("revision key", f"invalid separator {bytes([separator])!r}", offset=offset)
        if main > MAIN_MAX or sub > MAIN_MAX:
            raise FormatError("revision key", f"negative revision: main {main:#x}, sub {sub:#x}", offset=offset)
        return cls(main, sub, len(key) == TOMBSTONE_SIZE and key[REVISION_SIZE] == TOMBSTONE_MARK)

    def __bytes__(self) -> bytes:
        key = pack_revision(self.main, self.sub)
        return key + b"t" if self.tombstone else key

    def __str__(self) -> str:
        return f"{self.main}_{self.sub}{' (tombstone)' if self.tombstone else ''}"


def pack_revision(main: int, sub: int = 0) -> bytes:
    """Return the 17 bytes of a revision that is no tombstone; the fast way for writers.

    Raises:
        ValueError: a number outside 0 … 2^63-1.
    """
    if not (0 <= main <= MAIN_MAX and 0 <= sub <= MAIN_MAX):
        raise ValueError(f"revision {main}_{sub} is outside int64")
    return _REVISION.pack(main, SEPARATOR, sub)
