"""A conversion's target as JSON lines: one key a line, in order of revision.

``key`` and ``value`` are text where they are UTF-8, else ``key_b64`` and ``value_b64``; revisions, version and lease as
``etcdctl get -w json`` names them.
"""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import msgspec

from etcdtool.errors import FormatError
from etcdtool.model.ports import WrittenRecord
from etcdtool.targets import StagedFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from etcdtool.model.conversion_plan import Plan, Record
    from etcdtool.model.ports import Origin

__all__ = ["LinesTarget", "StreamTarget", "bytes_field", "bytes_of"]


def bytes_field(name: str, content: bytes) -> dict[str, str]:
    """Return ``{name: text}``, or ``{name_b64: ...}`` where the bytes are no UTF-8."""
    try:
        return {name: content.decode()}
    except UnicodeDecodeError:
        return {f"{name}_b64": base64.b64encode(content).decode()}


def bytes_of(record: dict[str, Any], name: str) -> bytes:
    """Undo `bytes_field`."""
    if name in record:
        return str(record[name]).encode()
    return base64.b64decode(record[f"{name}_b64"], validate=True)


def _write_lines(out: BinaryIO, plan: Plan) -> None:
    ttl_of = dict(plan.leases)
    encoder = msgspec.json.Encoder()
    out.writelines(encoder.encode(_as_json(record, ttl_of)) + b"\n" for record in plan.records)


def _as_json(record: Record, ttl_of: dict[int, int]) -> dict[str, Any]:
    line: dict[str, Any] = {
        **bytes_field("key", record.put.key),
        **bytes_field("value", record.put.value),
        "create_revision": record.create_revision,
        "mod_revision": record.main,
        "sub": record.sub,
        "version": record.version,
    }
    if record.lease:
        line |= {"lease": record.lease, "ttl": ttl_of[record.lease]}
    return line


class StreamTarget:
    """Standard output: written once, never read back."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, plan: Plan, origin: Origin) -> None:  # noqa: ARG002  lines carry no raft state
        """Write the lines."""
        _write_lines(self._out, plan)
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

    def write(self, plan: Plan, origin: Origin) -> None:  # noqa: ARG002  lines carry no raft state
        """Write the lines and sync them."""
        with self._stage.reporting():
            _write_lines(self._stage.file, plan)
        self._stage.sync()

    def read_back(self) -> Iterator[WrittenRecord]:
        """Parse the staged file again.

        Raises:
            FormatError: what is on disk is not what was written.
        """
        self._stage.file.seek(0)
        offset = 0
        for line in self._stage.file:
            try:
                record = msgspec.json.decode(line)
                yield WrittenRecord(
                    record["mod_revision"],
                    record["sub"],
                    bytes_of(record, "key"),
                    bytes_of(record, "value"),
                    record["create_revision"],
                    record["mod_revision"],
                    record["version"],
                    record.get("lease", 0),
                    record.get("ttl", 0),
                )
            except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
                raise FormatError("written line", f"cannot be read back ({error})", offset=offset) from error
            offset += len(line)

    def commit(self) -> None:
        """Give the file its name."""
        self._stage.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._stage.discard()
