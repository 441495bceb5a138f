"""``etcdtool snapshot status``: equal to that of etcdutl 3.7 in every form (``etcdutl/printer*.go``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etcdtool.cli._groups import UPSTREAM_EXIT_STATUS, command, write_out
from etcdtool.cli.printers import Table, show
from etcdtool.cli.text import human_size, printable
from etcdtool.operations.status import SnapshotStatus, status
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["status_command"]


@dataclass(frozen=True, slots=True)
class _Status:
    status: SnapshotStatus

    def _cells(self) -> list[str]:
        found = self.status
        size = human_size(found.total_size)
        return [f"{found.hash:x}", str(found.revision), str(found.total_key), size, printable(found.version)]

    def simple(self) -> Iterable[str]:
        yield ", ".join(self._cells())

    def table(self) -> Table:
        return Table(headers=["hash", "revision", "total keys", "total size", "version"], rows=[self._cells()])

    def fields(self) -> Iterable[tuple[str, str]]:
        found = self.status
        yield "Hash", str(found.hash)
        yield "Revision", str(found.revision)
        yield "Keys", str(found.total_key)
        yield "Size", str(found.total_size)
        yield "Version", printable(found.version)

    def as_json(self) -> object:
        found = self.status
        return {
            "hash": found.hash,
            "revision": found.revision,
            "totalKey": found.total_key,
            "totalSize": found.total_size,
            "version": found.version,
        }


@command(
    "status",
    short_help="Print hash, revision, keys and size, as etcdutl does.",
    examples=["etcdtool snapshot status snapshot.db", "etcdtool snapshot status snapshot.db -w json"],
    exit_codes=UPSTREAM_EXIT_STATUS,
    upstream=True,
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
def status_command(file: Path) -> None:
    """Print what etcdutl 3.7 prints of a snapshot: hash, revision, total keys, total size, version.

    Like etcdutl's, this says nothing about the sha256 at the file's end: etcdtool snapshot verify does.
    """
    with open_database(file) as database:
        found = status(database)
    show(_Status(found), write_out())
