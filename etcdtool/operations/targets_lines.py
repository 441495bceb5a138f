"""A conversion's target as JSON lines, in the form of an export, so that ``import`` takes it.

The form is in `etcdtool.model.exported`.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, BinaryIO, Self

import msgspec
from msgspec import UNSET

from etcdtool.errors import FormatError
from etcdtool.model import schema
from etcdtool.model.exported import Header, LeaseRecord, Put, Record, bytes_of, text_or_bytes
from etcdtool.model.exported_keys import lease_text
from etcdtool.model.exported_pairs import record_of
from etcdtool.model.ports import WrittenRecord
from etcdtool.operations.targets_snapshot import meta_pairs
from etcdtool.targets import StagedFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from etcdtool.model.conversion_plan import Plan
    from etcdtool.model.conversion_plan import Record as Planned
    from etcdtool.model.ports import Origin

__all__ = ["LinesTarget", "StreamTarget"]

_NO_LEASE_DEFINED = -1


def _write_lines(out: BinaryIO, plan: Plan, origin: Origin) -> None:
    encoder = msgspec.json.Encoder()
    newest = max([1, plan.compact_revision, *(record.main for record in plan.records[-1:])])
    head = [
        Header(history=True, revision=newest, compact_revision=plan.compact_revision or -1),
        *(record_of(schema.META, name, value) for name, value in sorted(meta_pairs(plan, origin).items())),
        *(LeaseRecord(id=lease_text(number), ttl=seconds) for number, seconds in plan.leases),
    ]
    out.write(encoder.encode_lines(head))
    out.writelines(encoder.encode(_put(record)) + b"\n" for record in plan.records)


def _put(record: Planned) -> Put:
    return Put(
        **text_or_bytes("key", record.put.key),
        **text_or_bytes("value", record.put.value),
        create_revision=record.create_revision,
        mod_revision=record.main,
        sub=record.sub,
        version=record.version,
        lease=lease_text(record.lease) if record.lease else UNSET,
    )


class StreamTarget:
    """Standard output: written once, never read back."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, plan: Plan, origin: Origin) -> None:
        """Write the lines."""
        _write_lines(self._out, plan, origin)
        self._out.flush()

    def read_back(self) -> Iterator[WrittenRecord] | None:
        """Return None: what went into a pipe is gone."""
        return None

    def commit(self) -> None:
        """Do nothing: a stream has no name."""


class LinesTarget(contextlib.AbstractContextManager["LinesTarget"]):
    """A ``.jsonl`` file, staged."""

    def __init__(self, path: Path) -> None:
        self._stage = StagedFile(path)

    def write(self, plan: Plan, origin: Origin) -> None:
        """Write the lines and sync them."""
        with self._stage.reporting():
            _write_lines(self._stage.file, plan, origin)
        self._stage.sync()

    def read_back(self) -> Iterator[WrittenRecord]:
        """Parse the staged file again.

        Raises:
            FormatError: what is on disk is not what was written.
        """
        self._stage.file.seek(0)
        decoder = msgspec.json.Decoder(Record)
        ttl_of = {0: 0}
        offset = 0
        for line in self._stage.file:
            try:
                record = decoder.decode(line)
                if isinstance(record, LeaseRecord):
                    ttl_of[int(record.id, 16)] = record.ttl
                elif isinstance(record, Put):
                    yield _written(record, ttl_of)
            except (msgspec.MsgspecError, ValueError) as error:
                raise FormatError("written line", f"cannot be read back ({error})", offset=offset) from error
            offset += len(line)

    def commit(self) -> None:
        """Give the file its name."""
        self._stage.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._stage.discard()


def _written(put: Put, ttl_of: dict[int, int]) -> WrittenRecord:
    lease = int(put.lease, 16) if isinstance(put.lease, str) else 0
    return WrittenRecord(
        put.mod_revision,
        put.sub,
        bytes_of(put, "key"),
        bytes_of(put, "value"),
        put.create_revision,
        put.mod_revision,
        put.version,
        lease,
        ttl_of.get(lease, _NO_LEASE_DEFINED),
    )
