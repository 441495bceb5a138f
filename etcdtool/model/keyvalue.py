"""`KeyValue`, the value of every revision.

Message ``mvccpb.KeyValue``: 1 key bytes · 2 create_revision · 3 mod_revision · 4 version · 5 value bytes · 6 lease, the
numbers int64.  `etcdtool.model.keyvalue_encoding` writes it.
Format: docs/formats/mvcc.md, "Value"; upstream: ``api/mvccpb/kv.proto`` @ v3.7.1.
"""

from __future__ import annotations

from typing import Any

import msgspec

from etcdtool.errors import FormatError
from etcdtool.formats import wire
from etcdtool.model.protofields import read_varint

__all__ = ["KeyValue"]

_BYTES, _NUMBER = b"", 0
_FIELDS = (
    (0x0A, _BYTES),
    (0x10, _NUMBER),
    (0x18, _NUMBER),
    (0x20, _NUMBER),
    (0x2A, _BYTES),
    (0x30, _NUMBER),
)
"""Tags in the order in which upstream writes them, and what a field is that is left out."""
_POSITIVE_SIZE_MAX = 9
"""Bytes of a varint that is no negative int64."""


class KeyValue(msgspec.Struct, frozen=True, gc=False):
    """What one revision says of its key; a tombstone has the key alone.

    Attributes:
        key: the user's key.
        create_revision: main revision of the first put of this generation.
        mod_revision: main revision of this put.
        version: puts since the key was created, this one included.
        value: the user's value.
        lease: id of the lease it hangs on, 0 for none.
    """

    key: bytes
    create_revision: int = 0
    mod_revision: int = 0
    version: int = 0
    value: bytes = b""
    lease: int = 0

    @classmethod
    def parse(cls, message: bytes | memoryview, *, offset: int | None = None) -> KeyValue:
        """Read a value of bucket ``key`` with the generated parser.

        Raises:
            FormatError: the bytes are no KeyValue.
        """
        parsed = wire.kv_pb2.KeyValue()
        try:
            parsed.ParseFromString(bytes(message))
        except wire.DecodeError:
            raise FormatError("key-value", "the value of the revision does not parse", offset=offset) from None
        return cls(
            key=parsed.key,
            create_revision=parsed.create_revision,
            mod_revision=parsed.mod_revision,
            version=parsed.version,
            value=parsed.value,
            lease=parsed.lease,
        )

    @classmethod
    def read(cls, message: bytes, *, offset: int | None = None) -> KeyValue:
        """Read the same, one record only: the generated parser, which takes 20 ms to load, is asked where it has to be.

        That is where the record is not written as upstream writes one.

        Raises:
            FormatError: the bytes are no KeyValue.
        """
        fields = _fields_in_order(message)
        return cls.parse(message, offset=offset) if fields is None else cls(*fields)

    def __bytes__(self) -> bytes:
        from etcdtool.model.keyvalue_encoding import encode_key_value  # noqa: PLC0415  its tables take 5 ms to make

        return encode_key_value(self.key, self.create_revision, self.mod_revision, self.version, self.value, self.lease)


def _fields_in_order(message: bytes) -> list[Any] | None:
    """Return the fields of a record that has each at most once, in upstream's order; None of any other."""
    found: list[bytes | int] = []
    position = 0
    for tag, absent in _FIELDS:
        if message[position : position + 1] != bytes((tag,)):
            found.append(absent)
            continue
        start = position + 1
        try:
            number, position = read_varint(message, start)
        except FormatError:
            return None
        if position - start > _POSITIVE_SIZE_MAX:
            return None
        if absent is _NUMBER:
            found.append(number)
            continue
        found.append(message[position : position + number])
        position += number
        if position > len(message):
            return None
    return found if position == len(message) else None
