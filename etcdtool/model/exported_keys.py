"""Revisions as records of an export, made from the columns of a block: the one place where such a record is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import UNSET

from etcdtool.model import schema
from etcdtool.model.exported import Delete, Pair, Put, text_or_bytes
from etcdtool.model.keyvalue_encoding import encode_key_value
from etcdtool.model.revision import REVISION_SIZE, TOMBSTONE_SIZE, Revision, pack_revision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from etcdtool.model.exported import KeyRecord
    from etcdtool.model.rows import Rows

__all__ = ["iter_key_records", "lease_text", "packed"]

_BYTES_AT_ONCE = 16 << 20
_ROWS_AT_ONCE = 1 << 14
_ALL_BITS = (1 << 64) - 1


def iter_key_records(
    data: memoryview, rows: Rows, chosen: NDArray[np.int64], *, exact: bool = False
) -> Iterator[list[KeyRecord | Pair]]:
    """Yield the records of some rows of a block, in lists of some 16 MB at the most.

    Args:
        data: the file.
        rows: the block; all of it readable.
        chosen: which rows, ascending.
        exact: whether what would not be packed to the same bytes again becomes a `Pair`.
    """
    sizes = np.cumsum(rows.message_end[chosen] - rows.message_start[chosen])
    start = done = 0
    while start < len(chosen):
        stop = max(int(np.searchsorted(sizes, done + _BYTES_AT_ONCE, side="right")), start + 1)
        stop = min(stop, start + _ROWS_AT_ONCE)
        part = chosen[start:stop]
        start, done = stop, int(sizes[stop - 1])
        records = _records(data, rows, part)
        yield _exact(data, rows, part, records) if exact else records


def lease_text(lease: int) -> str:
    """Return a lease's id as etcdctl prints it."""
    return f"{lease & _ALL_BITS:x}"


def packed(record: KeyRecord, key: bytes, value: bytes, lease: int) -> tuple[bytes, bytes]:
    """Return the pair of bucket ``key`` that a record stands for, given its bytes and its lease's id.

    Raises:
        ValueError: a revision outside int64.
    """
    if isinstance(record, Delete):
        return bytes(Revision(record.mod_revision, record.sub, tombstone=True)), encode_key_value(key, 0, 0, 0, b"")
    message = encode_key_value(key, record.create_revision, record.mod_revision, record.version, value, lease)
    return pack_revision(record.mod_revision, record.sub), message


def _records(data: memoryview, rows: Rows, chosen: NDArray[np.int64]) -> list[KeyRecord | Pair]:
    numbers = (rows.create_revision, rows.main, rows.sub, rows.version, rows.lease, rows.tombstone)
    columns = [column[chosen].tolist() for column in numbers]
    keys = _texts(data, rows.key_start[chosen], rows.key_size[chosen])
    values = _texts(data, rows.value_start[chosen], rows.value_size[chosen])
    records: list[KeyRecord | Pair] = []
    for key, value, create, main, sub, version, lease, tombstone in zip(keys, values, *columns, strict=True):
        key_text, key_bytes = (key, UNSET) if key.__class__ is str else (UNSET, key)
        if tombstone:
            records.append(Delete(key_text, key_bytes, main, sub))
            continue
        value_text, value_bytes = (value, UNSET) if value.__class__ is str else (UNSET, value)
        records.append(
            Put(
                key_text,
                key_bytes,
                value_text,
                value_bytes,
                create,
                main,
                sub,
                version,
                lease_text(lease) if lease else UNSET,
            )
        )
    return records


def _texts(data: memoryview, start: NDArray[np.int64], size: NDArray[np.int64]) -> list[str | bytes]:
    found: list[str | bytes] = []
    for at, end in zip(start.tolist(), (start + size).tolist(), strict=True):
        content = data[at:end].tobytes()
        try:
            found.append(content.decode())
        except UnicodeDecodeError:
            found.append(content)
    return found


def _exact(
    data: memoryview, rows: Rows, chosen: NDArray[np.int64], records: list[KeyRecord | Pair]
) -> list[KeyRecord | Pair]:
    """Put a `Pair` in the place of each record that would be packed to other bytes."""
    offsets, starts, ends = (column[chosen].tolist() for column in (rows.offset, rows.message_start, rows.message_end))
    spans = zip(
        rows.key_start[chosen].tolist(),
        rows.key_size[chosen].tolist(),
        rows.value_start[chosen].tolist(),
        rows.value_size[chosen].tolist(),
        rows.lease[chosen].tolist(),
        strict=True,
    )
    for number, (key_at, key_size, value_at, value_size, lease) in enumerate(spans):
        record, at, start, end = records[number], offsets[number], starts[number], ends[number]
        key, value = data[key_at : key_at + key_size].tobytes(), data[value_at : value_at + value_size].tobytes()
        assert not isinstance(record, Pair)
        revision_size = TOMBSTONE_SIZE if isinstance(record, Delete) else REVISION_SIZE
        if start - at == revision_size and packed(record, key, value, lease)[1] == data[start:end].tobytes():
            continue
        records[number] = Pair(
            bucket=schema.KEY.decode(),
            **text_or_bytes("key", bytes(data[at:start])),
            **text_or_bytes("value", bytes(data[start:end])),
        )
    return records
