"""``etcdtool defrag``: flags and exit codes of etcdutl 3.7 (``etcdutl/defrag_command.go``), and what it lacks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.cli._groups import UPSTREAM_EXIT_STATUS, command, lock_timeout_seconds, write_out
from etcdtool.cli._log import Log
from etcdtool.cli._shrunk import choice_of_places, chosen_member, fields_of, json_of, lines_of, notes_of
from etcdtool.cli.printers import Table, show
from etcdtool.cli.progress import Progress
from etcdtool.cli.text import human_size
from etcdtool.errors import EtcdtoolError
from etcdtool.operations.defrag import defrag, defrag_to_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from etcdtool.operations.shrink import Member, Shrunk

__all__ = ["defrag_command"]


@dataclass(frozen=True, slots=True)
class _Defragmented:
    shrunk: Shrunk

    def simple(self) -> Iterable[str]:
        yield from lines_of(self.shrunk)
        yield from notes_of(self.shrunk)

    def table(self) -> Table:
        names, values = zip(*fields_of(self.shrunk), strict=True)
        return Table(headers=names, rows=[[value.strip('"') for value in values]])

    def fields(self) -> Iterable[tuple[str, str]]:
        return fields_of(self.shrunk)

    def as_json(self) -> object:
        return json_of(self.shrunk)


@command(
    "defrag",
    short_help="Write the database of a stopped member, or a snapshot, without its free pages.",
    examples=[
        "etcdtool defrag --data-dir /var/lib/etcd",
        "etcdtool defrag --data-dir /var/lib/etcd --no-keep",
        "etcdtool defrag snapshot.db -o smaller.db",
    ],
    exit_codes={code: UPSTREAM_EXIT_STATUS[code] for code in (0, 1, 4)},
    upstream=True,
)
@choice_of_places("defrag")
def defrag_command(
    source: Path | None, data_dir: Path | None, wal_dir: Path | None, output: Path | None, *, no_keep: bool
) -> None:
    """Write the database of a stopped member anew, without the pages that deleted data have left free.

    The new file is written beside the old one, compared with it pair by pair, and put in its place at once; the old
    one is kept. Keys, revisions and hashes stay as they are. A server that has the data dir open is waited for, as long
    as --timeout says; a running one defragments itself with etcdctl defrag.

    With SOURCE (a snapshot or a copied db, also compressed) and -o OUT, a new snapshot is written, and nothing is
    replaced.
    """
    form = write_out()
    member = chosen_member(
        source, output, data_dir, wal_dir, no_keep=no_keep, wait_seconds=lock_timeout_seconds() or math.inf
    )
    with Progress("defrag") as progress:
        if member is not None:
            shrunk = _in_data_dir(member, progress)
        else:
            assert source is not None
            assert output is not None
            shrunk = defrag_to_snapshot(source, output, progress=progress)
    show(_Defragmented(shrunk), form)


def _in_data_dir(member: Member, progress: Progress) -> Shrunk:
    try:
        shrunk = defrag(member, progress=progress)
    except EtcdtoolError as error:
        words = f"Failed to defragment etcd data[{member.data_dir}] ({error.message})"
        raise EtcdtoolError(words, hint=error.hint) from error
    _tell_finished(shrunk)
    return shrunk


def _tell_finished(shrunk: Shrunk) -> None:
    """Print the line of etcdutl's log that scripts wait for."""
    in_use_before, in_use = (pages * shrunk.page_size for pages in (shrunk.pages_used_before, shrunk.pages_after))
    facts = {
        "path": str(shrunk.target),
        "current-db-size-bytes-diff": shrunk.size_after - shrunk.size_before,
        "current-db-size-bytes": shrunk.size_after,
        "current-db-size": human_size(shrunk.size_after),
        "current-db-size-in-use-bytes-diff": in_use - in_use_before,
        "current-db-size-in-use-bytes": in_use,
        "current-db-size-in-use": human_size(in_use),
    }
    Log().tell("finished defragmenting directory", facts)
