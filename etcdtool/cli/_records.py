"""A record of bucket ``key`` in the forms that etcdctl prints it in: this is the one place that prints one.

Upstream: ``etcdctl/ctlv3/command/{util,printer_fields,printer_json}.go`` @ v3.7.3.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from etcdtool.model.gotext import quoted_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from etcdtool.model.keyvalue import KeyValue

__all__ = ["range_response", "record_fields", "record_json", "record_lines"]


def record_lines(record: KeyValue, *, as_hex: bool = False, value_only: bool = False) -> Iterable[bytes]:
    r"""Return key and value as ``-w simple`` prints them, byte for byte, or each byte as ``\x61``."""
    if not value_only:
        yield _hexadecimal(record.key) if as_hex else record.key
    yield _hexadecimal(record.value) if as_hex else record.value


def record_fields(record: KeyValue, *, as_hex: bool = False) -> Iterable[tuple[str, str]]:
    """Return names and values as ``-w fields`` prints them; only the lease is affected by ``--hex``."""
    yield "Key", quoted_bytes(record.key)
    yield "CreateRevision", str(record.create_revision)
    yield "ModRevision", str(record.mod_revision)
    yield "Version", str(record.version)
    yield "Value", quoted_bytes(record.value)
    yield "Lease", _go_hex(record.lease) if as_hex else str(record.lease)


def record_json(record: KeyValue) -> dict[str, Any]:
    """Return the object that ``-w json`` prints: bytes in base64, and nothing for what is 0 or empty."""
    fields = {
        "key": base64.b64encode(record.key).decode(),
        "create_revision": record.create_revision,
        "mod_revision": record.mod_revision,
        "version": record.version,
        "value": base64.b64encode(record.value).decode(),
        "lease": record.lease,
    }
    return {name: value for name, value in fields.items() if value}


def range_response(records: Iterable[KeyValue], *, revision: int, more: bool, count: int) -> Iterator[bytes]:
    """Yield the message ``RangeResponse`` that ``-w protobuf`` prints, piece by piece; the header has a revision alone.

    Message ``etcdserverpb.RangeResponse``: 1 header · 2 kvs · 3 more · 4 count, ``ResponseHeader``: 3 revision.
    """
    from etcdtool.model.keyvalue_encoding import encode_varint  # noqa: PLC0415  of this form alone

    header = b"\x18" + encode_varint(revision)
    yield b"\x0a" + encode_varint(len(header)) + header
    for record in records:
        message = bytes(record)
        yield b"\x12" + encode_varint(len(message)) + message
    yield b"\x18\x01" if more else b""
    yield b"\x20" + encode_varint(count) if count else b""


def _hexadecimal(data: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in data)


def _go_hex(number: int) -> str:
    return f"{number:016x}"
