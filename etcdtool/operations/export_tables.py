"""An export as a table of keys: CSV, and Parquet by way of pyarrow (extra ``parquet``).

A row a revision, in the columns `COLUMNS`; what is no key has no place in a table, and is counted.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import io
from typing import TYPE_CHECKING, Any, BinaryIO

from msgspec import UNSET

from etcdtool.errors import EtcdtoolError
from etcdtool.model.exported import Delete, Pair, Put

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from etcdtool.model.exported import Header, KeyRecord, OtherRecord

__all__ = ["COLUMNS", "CsvSink", "ParquetSink"]

COLUMNS = (
    "key",
    "key_b64",
    "value",
    "value_b64",
    "create_revision",
    "mod_revision",
    "sub",
    "version",
    "lease",
    "deleted",
)
"""Text where it is UTF-8, else empty and the base64 in the column behind."""

_TEXTS = frozenset(("key", "key_b64", "value", "value_b64", "lease"))
_ROWS_PER_GROUP = 1 << 17
_BYTES_PER_GROUP = 128 << 20


class CsvSink:
    """Writes CSV as RFC 4180 has it, with a line of headers."""

    exact = False
    takes_others = False

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def begin(self, header: Header) -> None:  # noqa: ARG002
        """Write the headers."""
        self._write([COLUMNS])

    def add(self, records: Sequence[KeyRecord | OtherRecord]) -> None:
        """Write a row a key."""
        self._write(_row(record) for record in records)

    def add_live(self, records: Sequence[KeyRecord | OtherRecord], live: Sequence[bool]) -> None:  # noqa: ARG002
        """Write a row a revision."""
        self.add(records)

    def finish(self) -> None:
        """Hand over what was buffered."""
        self._out.flush()

    def close(self) -> None:
        """Do nothing: the stream is the caller's."""

    def _write(self, rows: Iterable[Iterable[Any]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        self._out.write(text.getvalue().encode())


class ParquetSink:
    """Writes Parquet, compressed with zstd.

    Raises:
        EtcdtoolError: pyarrow is not installed.
    """

    exact = False
    takes_others = False

    def __init__(self, out: BinaryIO) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415  an extra
            from pyarrow import parquet  # noqa: PLC0415
        except ImportError as error:
            raise EtcdtoolError(
                "Parquet needs pyarrow, which is not installed", hint='Run: pip install "etcdtool[parquet]"'
            ) from error
        self._arrow = pa
        types = {"deleted": pa.bool_(), **dict.fromkeys(_TEXTS, pa.large_string())}
        self._schema = pa.schema([(name, types.get(name, pa.int64())) for name in COLUMNS])
        self._writer = parquet.ParquetWriter(out, self._schema, compression="zstd")
        self._batches: list[Any] = []
        self._rows = self._size = 0

    def begin(self, header: Header) -> None:
        """Keep what the rows are as metadata of the file."""
        self._writer.add_key_value_metadata(
            {
                "etcd.history": str(header.history).lower(),
                "etcd.revision": str(header.revision),
                "etcd.compact_revision": str(header.compact_revision),
            }
        )

    def add(self, records: Sequence[KeyRecord | OtherRecord]) -> None:
        """Take a row a key."""
        if not records:
            return
        columns = zip(*(_row(record, absent=None) for record in records), strict=True)
        arrays = [
            self._arrow.array(column, type=field.type) for column, field in zip(columns, self._schema, strict=True)
        ]
        batch = self._arrow.record_batch(arrays, schema=self._schema)
        self._batches.append(batch)
        self._rows += len(records)
        self._size += batch.nbytes
        if self._rows >= _ROWS_PER_GROUP or self._size >= _BYTES_PER_GROUP:
            self._flush()

    def add_live(self, records: Sequence[KeyRecord | OtherRecord], live: Sequence[bool]) -> None:  # noqa: ARG002
        """Take a row a revision."""
        self.add(records)

    def finish(self) -> None:
        """Write the end of the file."""
        self._flush()
        self._writer.close()

    def close(self) -> None:
        """End the file; left alone, the writer would do so when the file is closed already."""
        with contextlib.suppress(Exception):  # what failed is being reported
            self._writer.close()
        self._writer.is_open = False

    def _flush(self) -> None:
        if self._batches:
            self._writer.write_table(self._arrow.Table.from_batches(self._batches), row_group_size=self._rows)
        self._batches, self._rows, self._size = [], 0, 0


def _row(record: object, absent: str | None = "") -> tuple[Any, ...]:
    if isinstance(record, Put):
        return (
            *_text(record.key, record.key_b64, absent),
            *_text(record.value, record.value_b64, absent),
            record.create_revision,
            record.mod_revision,
            record.sub,
            record.version,
            absent if record.lease is UNSET else record.lease,
            _flag(False, absent),
        )
    assert not isinstance(record, Pair)
    assert isinstance(record, Delete)
    key = _text(record.key, record.key_b64, absent)
    return *key, absent, absent, 0, record.mod_revision, record.sub, 0, absent, _flag(True, absent)


def _flag(value: bool, absent: str | None) -> object:  # noqa: FBT001
    return value if absent is None else str(value).lower()


def _text(text: object, content: object, absent: str | None) -> tuple[object, object]:
    if isinstance(content, bytes):
        return absent, base64.b64encode(content).decode()
    return text, absent
