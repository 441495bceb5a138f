"""``etcdtool export``: the records of a snapshot or db for other programs, and to bring them back with ``import``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._exported import RecordsView
from etcdtool.cli._groups import command, exit_status, write_out
from etcdtool.cli._kubernetes_options import object_options, take_kubernetes
from etcdtool.cli.printers import show, show_on_stderr
from etcdtool.cli.progress import Progress
from etcdtool.cli.text import safe_json
from etcdtool.errors import UsageError
from etcdtool.model.key_range import KeyRange
from etcdtool.operations.export import ExportOptions
from etcdtool.operations.export_target import Form, export_to_file, export_to_stream, form_of
from etcdtool.sources import open_database
from etcdtool.targets import refuse_existing

if TYPE_CHECKING:
    from etcdtool.operations.export import Exported

__all__ = ["export_command"]

_STDOUT = Path("-")


@command(
    "export",
    short_help="Write keys and all else to JSON lines, CSV, Parquet or SQLite.",
    examples=[
        "etcdtool export snapshot.db -o keys.jsonl",
        "etcdtool export snapshot.db -o everything.jsonl --history",
        "etcdtool export /var/lib/etcd -o - --prefix /app/ --only-keys | jq .key",
        "etcdtool export snapshot.db -o keys.sqlite --history",
        "etcdtool export snapshot.db -o - --k8s --resource cm | jq .object.data",
    ],
    exit_codes=exit_status({12: "the target exists; nothing is overwritten"}),
)
@click.argument("source", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path, allow_dash=True),
    help="A new file, or - for stdout (JSON lines and CSV).",
)
@click.option(
    "--format",
    "form_name",
    type=click.Choice([form.value for form in Form]),
    help="Form of the file; without this what its suffix says, else JSON lines.",
)
@click.option("--prefix", metavar="KEY", help="Only keys that begin with this.")
@click.option("--from-key", metavar="KEY", help="Only keys from this one on.")
@click.option("--range-end", metavar="KEY", help="With --from-key: only keys before this one.")
@click.option("--rev", "revision", metavar="REV", type=click.IntRange(1), help="As of this revision, not the newest.")
@click.option("--history", is_flag=True, help="Every stored revision with its tombstones, not the live keys alone.")
@click.option("--only-keys", is_flag=True, help="Leave out leases, members, users and whatever else is no key.")
@object_options
def export_command(
    *,
    source: Path,
    output: Path,
    form_name: str | None,
    prefix: str | None,
    from_key: str | None,
    range_end: str | None,
    revision: int | None,
    history: bool,
    only_keys: bool,
    **given: Any,
) -> None:
    """Write what SOURCE holds as records: live keys, or with --history every stored revision.

    JSON lines have a record a line, with its type: a header, users, roles, leases, members, and then the keys in order
    of revision; etcdtool import makes a snapshot of them. CSV and Parquet hold the keys alone, SQLite a table for each
    type. Keys and values are text where they are UTF-8, else base64 (in SQLite BLOB). They can be secrets, and the
    hashes of passwords are among the users: files are written for your eyes only.

    With --k8s values are objects of Kubernetes: JSON lines of their own that import does not take, or their JSON in the
    tables' values; Secrets without what is secret in them.
    """
    kubernetes = take_kubernetes(given)
    form = Form(form_name) if form_name else form_of(output)
    options = ExportOptions(
        keys=_chosen_keys(prefix, from_key, range_end), revision=revision, history=history, only_keys=only_keys
    )
    if output != _STDOUT:
        refuse_existing(output)  # before any work; the staged file asks again at the end
    with open_database(source, whole=True) as database, Progress("export") as progress:
        if output == _STDOUT:
            sys.stdout.flush()
            shown = safe_json if sys.stdout.isatty() else None
            exported = export_to_stream(
                database, sys.stdout.buffer, form, options, objects=kubernetes, shown=shown, progress=progress
            )
        else:
            exported = export_to_file(database, output, form, options, objects=kubernetes, progress=progress)
        view = _view(database.name, output, exported)
    if output == _STDOUT:
        if view.notes:
            show_on_stderr(view)
    else:
        show(view, write_out())


def _chosen_keys(prefix: str | None, from_key: str | None, range_end: str | None) -> KeyRange | None:
    if prefix is not None and from_key is not None:
        raise UsageError("--prefix and --from-key cannot be set at the same time", hint="Choose one")
    if range_end is not None and from_key is None:
        raise UsageError("--range-end needs --from-key", hint="Or give --prefix.")
    if prefix is not None:
        return KeyRange.prefix(os.fsencode(prefix))
    if from_key is None:
        return None
    start = KeyRange.from_key(os.fsencode(from_key))
    return start if range_end is None else KeyRange(start.start, os.fsencode(range_end))


def _view(source: str, output: Path, exported: Exported) -> RecordsView:
    left_out = dict(sorted(exported.left_out.items()))
    notes = []
    if left_out:
        words = ", ".join(f"{count} in {bucket}" for bucket, count in left_out.items())
        notes.append(f"not in this form: {words}; JSON lines and SQLite have them")
    return RecordsView(
        source=source,
        target=str(output),
        size=output.stat().st_size if output != _STDOUT else None,
        counts=exported.counts,
        history=exported.header.history,
        revision=exported.header.revision,
        more={"compactRevision": exported.header.compact_revision, "leftOut": left_out},
        notes=notes,
    )
