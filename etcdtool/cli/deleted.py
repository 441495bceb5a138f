"""``etcdtool deleted``: which keys are gone since a revision, and where their values can still be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._events import shown_size
from etcdtool.cli._groups import command, write_out
from etcdtool.cli._int64 import Int64
from etcdtool.cli._scanned import LOOK_EXIT_STATUS, opened_rows, prefix_option, prefixed, source_argument
from etcdtool.cli._v2_nodes import text_or_base64
from etcdtool.cli.fitting import hanging
from etcdtool.cli.printers import Table, WriteOut, note, show
from etcdtool.cli.text import printable_bytes
from etcdtool.model.gotext import quoted_bytes
from etcdtool.operations.deleted import deleted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from etcdtool.operations.deleted import Deleted, DeletedKey

__all__ = ["deleted_command"]

_HEADERS = ("deleted at", "last put", "read at", "size", "key")


def _cells(one: DeletedKey) -> list[str]:
    return [
        str(one.deletion.revision),
        str(one.last.revision) if one.last else "-",
        str(one.read_at or "-"),
        shown_size(one.last) if one.last else "-",
        printable_bytes(one.deletion.key),
    ]


def _line(cells: Iterable[str]) -> str:
    deleted_at, last_put, read_at, size, key = cells
    return hanging(f"{deleted_at:>10}  {last_put:>10}  {read_at:>10}  {size:>6}  ", key)


@dataclass(frozen=True, slots=True)
class _Gone:
    found: Deleted

    def simple(self) -> Iterable[str]:
        yield _line(header.upper() for header in _HEADERS)
        yield from map(_line, map(_cells, self.found))

    def table(self) -> Table:
        return Table(headers=_HEADERS, rows=[_cells(one) for one in self.found], left=frozenset({4}))

    def fields(self) -> Iterable[tuple[str, str]]:
        for one in self.found:
            yield "Key", quoted_bytes(one.deletion.key)
            yield "DeletedRevision", str(one.deletion.revision)
            if one.last is not None:
                yield "LastRevision", str(one.last.revision)
                yield "LastSize", str(one.last.value_size)
            if one.read_at is not None:
                yield "ReadAt", str(one.read_at)
            yield "", ""

    def as_json(self) -> object:
        found = self.found
        return {
            "since_revision": found.since_revision,
            "revision": found.current_revision,
            "compact_revision": found.compact_revision,
            "complete": found.is_complete,
            "created_again": found.created_again,
            "deleted": [_json(one) for one in found],
        }


def _json(one: DeletedKey) -> dict[str, Any]:
    return {
        **text_or_base64("key", one.deletion.key),
        "deleted_revision": one.deletion.revision,
        "last_revision": one.last.revision if one.last else None,
        "last_size": one.last.value_size if one.last else None,
        "read_at": one.read_at,
    }


@command(
    "deleted",
    short_help="Tell which keys are gone since a revision.",
    examples=[
        "etcdtool deleted snapshot.db --since-rev 1500",
        "etcdtool deleted /var/lib/etcd --since-rev 120000 --prefix /app/ -w json",
    ],
    exit_codes=LOOK_EXIT_STATUS,
)
@source_argument
@click.option(
    "--since-rev", "since_revision", type=Int64(), required=True, metavar="REV", help="The first revision of interest."
)
@prefix_option
def deleted_command(source: Path, *, since_revision: int, prefix: str) -> None:
    """Tell which keys were deleted at --since-rev or later and were not created again.

    LAST PUT is the revision of the value that was deleted, READ AT one that it can be read at:
    etcdtool get SOURCE KEY --rev READ_AT. A compaction takes both away, and with them what was deleted before it.
    """
    form = write_out()
    with opened_rows(source, "deleted") as opened:
        found = deleted(opened.image, since_revision, prefixed(prefix), find=opened.find, advance=opened.advance)
        show(_Gone(found), form)
    if form is WriteOut.SIMPLE:
        _tell(found)


def _tell(found: Deleted) -> None:
    count, again = len(found), found.created_again
    more = f"; {again} more {'was' if again == 1 else 'were'} deleted and created again" if again else ""
    note(f"{count} {'key is' if count == 1 else 'keys are'} gone since revision {found.since_revision}{more}")
    if not found.is_complete:
        note(f"compacted at {found.compact_revision}: what was deleted by then is not told here")
