"""``etcdtool hashkv``: of one file as etcdutl 3.7 has it (``etcdutl/hashkv_command.go``); how several files differ."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import command, write_out
from etcdtool.cli._int64 import Int64
from etcdtool.cli.printers import Table, show
from etcdtool.cli.progress import Advance, Progress
from etcdtool.cli.text import printable_bytes
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from etcdtool.operations.hashkv import HashKV
    from etcdtool.sources import Database

__all__ = ["hashkv_command"]

_DEFAULT_DEPTH = 2
_EXIT_DIFFERS = 3


@dataclass(frozen=True, slots=True)
class _HashView:
    found: HashKV
    by_prefix: bool

    def _pairs(self) -> list[tuple[str, str]]:
        found = self.found
        pairs = [
            ("hash", str(found.hash)),
            ("hash revision", str(found.hash_revision)),
            ("compact revision", str(found.compact_revision)),
        ]
        return pairs if found.from_revision is None else [*pairs, ("from revision", str(found.from_revision))]

    def _groups(self) -> Iterable[list[str]]:
        for group in self.found.groups:
            yield [str(group.hash), str(group.revisions), str(group.last_revision), printable_bytes(group.prefix)]

    def simple(self) -> Iterable[str]:
        yield ", ".join(value for _, value in self._pairs())
        for cells in self._groups():
            yield ", ".join(cells)

    def table(self) -> Table:
        if self.by_prefix:
            headers = ["hash", "revisions", "last revision", "prefix"]
            return Table(headers=headers, rows=list(self._groups()), left=frozenset({3}))
        return Table(headers=[name for name, _ in self._pairs()], rows=[[value for _, value in self._pairs()]])

    def fields(self) -> Iterable[tuple[str, str]]:
        for name, value in self._pairs():
            yield name.capitalize(), value
        for group in self.found.groups:
            yield "", ""
            yield "Prefix", f'"{printable_bytes(group.prefix)}"'
            yield "Hash", str(group.hash)
            yield "Revisions", str(group.revisions)
            yield "Last revision", str(group.last_revision)

    def as_json(self) -> object:
        found = self.found
        document: dict[str, Any] = {
            "hash": found.hash,
            "hashRevision": found.hash_revision,
            "compactRevision": found.compact_revision,
        }
        if found.from_revision is not None:
            document["fromRevision"] = found.from_revision
        if self.by_prefix:
            from etcdtool.cli._v2_nodes import text_or_base64  # noqa: PLC0415  groups only need it

            document["groups"] = [
                {
                    **text_or_base64("prefix", group.prefix),
                    "hash": group.hash,
                    "revisions": group.revisions,
                    "lastRevision": group.last_revision,
                }
                for group in found.groups
            ]
        return document


@command(
    "hashkv",
    short_help="Print the hash of a file's history, or say where members part.",
    examples=[
        "etcdtool hashkv snapshot.db",
        "etcdtool hashkv snapshot.db --rev 1641 -w json",
        "etcdtool hashkv snapshot.db --from 1500 --to 1641 --by-prefix 2",
        "etcdtool hashkv n0.db n1.db n2.db",
    ],
    exit_codes={
        0: "it worked; several files agree",
        1: "it failed, or the call's words are off",
        3: "several files were read, and they do not agree",
        4: "-w got a form that does not exist",
    },
    upstream=True,
)
@click.argument("files", metavar="FILE [OTHER]...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--rev",
    "--to",
    "revision",
    type=Int64(),
    default=0,
    metavar="REV",
    help="Maximum revision to hash. Default: the latest; of several files, the latest that all have.",
)
@click.option(
    "--from", "from_revision", type=Int64(), metavar="REV", help="Leave out what is older than this revision."
)
@click.option(
    "--by-prefix",
    "depth",
    type=click.IntRange(0, 1000),
    metavar="DEPTH",
    help="A hash for each group of keys too: those whose first DEPTH parts between slashes are the same. "
    f"Of several files, the groups that differ; default there: {_DEFAULT_DEPTH}.",
)
@click.option(
    "--keys",
    "keys_max",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    metavar="N",
    help="Of several files, name the first N revisions in which each differs.",
)
@click.pass_context
def hashkv_command(
    context: click.Context,
    *,
    files: Sequence[Path],
    revision: int,
    from_revision: int | None,
    depth: int | None,
    keys_max: int,
) -> None:
    """Print the hash of the history in a snapshot or db file up to a revision, as etcdutl 3.7 prints it.

    The line says hash, hash revision, compact revision: what etcdctl endpoint hashkv says of a server that was
    started on the same data. The file is not changed (etcdutl changes it).

    With more than one FILE, say whether they agree, which ones do not, from which revision on, and in which keys.
    They are compared as if all were compacted where the one is that is compacted most.
    """
    if len(files) == 1:
        with open_database(files[0], whole=True) as database, Progress("hashkv") as progress:
            found = _hash_of(database, revision, from_revision, depth, Advance(progress, database.size))
        show(_HashView(found, depth is not None), write_out())
        return
    from etcdtool.cli._comparison import ComparisonView  # noqa: PLC0415  one file goes without
    from etcdtool.operations.hashkv_compare import compare  # noqa: PLC0415  likewise

    with contextlib.ExitStack() as stack:
        databases = [stack.enter_context(open_database(file)) for file in files]
        comparison = compare(
            databases,
            from_revision=from_revision,
            to_revision=revision,
            depth=_DEFAULT_DEPTH if depth is None else depth,
            keys_max=keys_max,
            advance=Advance(stack.enter_context(Progress("hashkv")), sum(database.size for database in databases)),
        )
    show(ComparisonView(comparison), write_out())
    if not comparison.equal:
        context.exit(_EXIT_DIFFERS)


def _hash_of(
    database: Database, revision: int, from_revision: int | None, depth: int | None, progress: Advance
) -> HashKV:
    from etcdtool.operations.hashkv import hashkv, hashkv_detailed  # noqa: PLC0415  the file is mapped meanwhile

    if from_revision is None and depth is None:
        return hashkv(database, revision, advance=progress)
    return hashkv_detailed(database, revision, from_revision=from_revision, depth=depth, advance=progress)
