"""Where an export goes: a staged file in one of four forms, or standard output."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, BinaryIO, Protocol

from etcdtool.errors import UsageError
from etcdtool.operations.export import export
from etcdtool.operations.export_lines import LinesSink
from etcdtool.targets import StagedFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from etcdtool.model.kubernetes.objects import ObjectReader
    from etcdtool.operations.export import Exported, ExportOptions, Progress, Sink
    from etcdtool.sources import Database

__all__ = ["Form", "Objects", "export_to_file", "export_to_stream", "form_of"]


class Objects(Protocol):
    """Which objects of Kubernetes are asked for, and what reads them."""

    @property
    def reader(self) -> ObjectReader:
        """What reads keys and values."""
        ...

    def takes(self, key: bytes) -> bool:
        """Tell whether a key is asked for."""
        ...


class Form(Enum):
    """The forms of an export."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    SQLITE = "sqlite"


_SUFFIXES = {
    ".jsonl": Form.JSONL,
    ".ndjson": Form.JSONL,
    ".csv": Form.CSV,
    ".parquet": Form.PARQUET,
    ".sqlite": Form.SQLITE,
    ".sqlite3": Form.SQLITE,
}


def form_of(target: Path) -> Form:
    """Return the form that a name asks for, JSON lines where it asks for none.

    Raises:
        UsageError: it asks for packing, which is another program's work.
    """
    if target.suffix in {".gz", ".zst", ".xz", ".bz2"}:
        raise UsageError(
            f"{target.name}: an export is written as it is, not packed",
            hint=f"Pipe it: etcdtool export SOURCE -o - | gzip > {target.name}",
        )
    return _SUFFIXES.get(target.suffix, Form.JSONL)


def export_to_stream(
    database: Database,
    out: BinaryIO,
    form: Form,
    options: ExportOptions,
    *,
    objects: Objects | None = None,
    shown: Callable[[str], str] | None = None,
    progress: Progress = lambda _, __: None,
) -> Exported:
    """Write an export into a stream.

    Args:
        database: an opened one.
        out: where to.
        form: JSON lines or CSV.
        options: what is exported.
        objects: how values are read as objects of Kubernetes; None: they are written as they are.
        shown: changes lines of JSON before they are written: for terminals.
        progress: is told how many bytes of how many were written out.

    Raises:
        UsageError: the form is no stream.
    """
    if form not in {Form.JSONL, Form.CSV}:
        raise UsageError(f"{form.value} cannot be written to a pipe", hint="Give a file: -o FILE")
    return _export(database, _stream_sink(form, out, shown), form, options, objects, progress)


def export_to_file(
    database: Database,
    target: Path,
    form: Form,
    options: ExportOptions,
    *,
    objects: Objects | None = None,
    progress: Progress = lambda _, __: None,
) -> Exported:
    """Write an export to a new file, which is there when all of it is.

    Raises:
        TargetExistsError: something stands there.
        EtcdtoolError: the disk refuses; otherwise as of `export`.
    """
    with StagedFile(target, named=form is Form.SQLITE) as stage:
        if form is Form.SQLITE:
            from etcdtool.operations.export_sqlite import SqliteSink  # noqa: PLC0415  one form of four

            exported = _export(database, SqliteSink(stage.hidden_path), form, options, objects, progress)
        else:
            with stage.reporting():
                exported = _export(database, _stream_sink(form, stage.file, None), form, options, objects, progress)
        database.file.check_unchanged()
        stage.commit()
    return exported


def _export(  # noqa: PLR0917  what its two callers were given
    database: Database, sink: Sink, form: Form, options: ExportOptions, objects: Objects | None, progress: Progress
) -> Exported:
    with contextlib.closing(sink):
        if objects is None:
            return export(database, sink, options, progress=progress)
        from etcdtool.operations.export_objects import ObjectsSink  # noqa: PLC0415  most exports go without

        reading = ObjectsSink(sink, objects.reader, objects.takes, as_lines=form is Form.JSONL)
        exported = export(database, reading, replace(options, only_keys=True), progress=progress)
        exported.counts = reading.counts
        return exported


def _stream_sink(form: Form, out: BinaryIO, shown: Callable[[str], str] | None) -> Sink:
    if form is Form.JSONL:
        return LinesSink(out, shown=shown)
    from etcdtool.operations.export_tables import CsvSink, ParquetSink  # noqa: PLC0415  likewise

    return CsvSink(out) if form is Form.CSV else ParquetSink(out)
