"""``etcdtool compact``, also ``compaction``: what ``etcdctl compaction`` has a server do, without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from etcdtool.cli._groups import command, exit_status, write_out
from etcdtool.cli._shrunk import choice_of_places, chosen_member, fields_of, json_of, lines_of, notes_of
from etcdtool.cli.printers import Table, show
from etcdtool.cli.progress import Progress
from etcdtool.operations.compact import compact, compact_to_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from etcdtool.operations.compact import Compacted

__all__ = ["compact_command"]


@dataclass(frozen=True, slots=True)
class _View:
    found: Compacted

    def simple(self) -> Iterable[str]:
        found = self.found
        before = found.compact_revision_before
        earlier = f"{before} before" if before >= 0 else "never before"
        yield f"compacted at revision {found.revision} ({earlier}); the newest is {found.current_revision}"
        if found.resumed is not None:
            yield f"resumed   the compaction at {found.resumed}, which was scheduled and not finished"
        yield f"removed   {found.revisions_removed} of {found.revisions_before} revisions"
        yield from lines_of(found.shrunk)
        if found.shrunk.kept is not None and found.shrunk.member_count > 1:
            yield (
                f"note: this is one of {found.shrunk.member_count} members; "
                "compact all of them at the same revision before one is started"
            )
        yield from notes_of(found.shrunk)

    def table(self) -> Table:
        names, values = zip(*self.fields(), strict=True)
        return Table(headers=names, rows=[[value.strip('"') for value in values]])

    def fields(self) -> Iterable[tuple[str, str]]:
        found = self.found
        yield "Revision", str(found.revision)
        yield "Compact revision before", str(found.compact_revision_before)
        if found.resumed is not None:
            yield "Resumed", str(found.resumed)
        yield "Current revision", str(found.current_revision)
        yield "Revisions before", str(found.revisions_before)
        yield "Revisions removed", str(found.revisions_removed)
        yield from fields_of(found.shrunk)

    def as_json(self) -> object:
        found = self.found
        return {
            "revision": found.revision,
            "compactRevisionBefore": found.compact_revision_before,
            "resumed": found.resumed,
            "currentRevision": found.current_revision,
            "revisionsBefore": found.revisions_before,
            "revisionsRemoved": found.revisions_removed,
            **json_of(found.shrunk),
        }


@command(
    "compact",
    short_help="Cut off the history before a revision, in a stopped member or a snapshot.",
    examples=[
        "etcdtool compact --rev 120000 --data-dir /var/lib/etcd",
        "etcdtool compact --rev 120000 snapshot.db -o smaller.db",
    ],
    exit_codes=exit_status(
        {
            1: "it failed: a data dir in use, a revision that is compacted or not reached, a full disk",
            3: "the pages are damaged, and nothing was done",
            12: "OUT exists; nothing is overwritten",
        }
    ),
)
@click.option(
    "--rev",
    "revision",
    required=True,
    type=click.IntRange(1),
    metavar="REV",
    help="What is older than this revision goes.",
)
@choice_of_places("compact")
def compact_command(
    source: Path | None,
    data_dir: Path | None,
    wal_dir: Path | None,
    output: Path | None,
    *,
    revision: int,
    no_keep: bool,
) -> None:
    """Remove the history before a revision, as etcdctl compaction has a running server do, and defragment.

    Of every key the value at REV stays, and everything later; what was deleted by then goes. Raft's state is not
    touched. All members of a cluster must be stopped, and be compacted at the same revision.

    The new file is written beside the old one, read back, and put in its place at once; the old one is kept. With
    SOURCE (a snapshot or a copied db, also compressed) and -o OUT, a new snapshot is written, and nothing is replaced.
    """
    form = write_out()
    member = chosen_member(source, output, data_dir, wal_dir, no_keep=no_keep)
    with Progress("compact") as progress:
        if member is not None:
            found = compact(member, revision, progress=progress)
        else:
            assert source is not None
            assert output is not None
            found = compact_to_snapshot(source, output, revision, progress=progress)
    show(_View(found), form)
