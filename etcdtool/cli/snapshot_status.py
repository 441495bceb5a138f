"""``etcdtool snapshot status``: equal to that of etcdutl 3.7 in every form (``etcdutl/printer*.go``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from etcdtool.cli._groups import UPSTREAM_EXIT_STATUS, command, write_out
from etcdtool.cli._members import id_json, member_fields, member_json
from etcdtool.cli.printers import Table, WriteOut, show
from etcdtool.cli.text import hex_id, human_size, printable, quoted
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etcdtool.operations.status import SnapshotStatus
    from etcdtool.operations.status_details import SnapshotDetails

__all__ = ["status_command"]

_TITLE_WIDTH = 17


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

    def as_json(self) -> dict[str, Any]:
        found = self.status
        return {
            "hash": found.hash,
            "revision": found.revision,
            "totalKey": found.total_key,
            "totalSize": found.total_size,
            "version": found.version,
        }


@dataclass(frozen=True, slots=True)
class _Verbose:
    """The same, and after it what only ``--verbose`` tells."""

    plain: _Status
    details: SnapshotDetails

    def _lines(self) -> Iterable[tuple[str, str]]:
        found = self.details
        revisions, pages = found.revisions, found.pages
        compacted = "never compacted" if found.compact_revision is None else f"compacted at {found.compact_revision}"
        pending = ", a compaction was not finished" if found.compaction_pending else ""
        freelist = "listed in the file" if pages.freelist_persisted else "not listed in the file"
        yield "kind", f"{found.kind}, {human_size(found.file_size)}"
        yield "sha256 trailer", found.trailer
        yield "revision", f"{found.current_revision}, {compacted}{pending}"
        kinds = f"{revisions.live} live, {revisions.historic} historic, {revisions.tombstones} tombstones"
        yield "revisions", f"{revisions.total}: {kinds}"
        yield "pages", f"{pages.total} of {pages.size} bytes: {pages.in_use} in use, {pages.free} free, {freelist}"
        yield "schema", found.schema_version
        yield "storage version", printable(found.storage_version) or "not stored"
        yield "cluster version", printable(found.cluster_version) or "not stored"
        yield "raft", f"consistent index {_or_not_stored(found.consistent_index)}, term {_or_not_stored(found.term)}"
        yield "members", str(len(found.members))
        for member in found.members:
            name = member.name or "without a name"
            learner = ", learner" if member.is_learner else ""
            yield "", printable(f"{hex_id(member.id)}: {name}{learner}, {', '.join(member.peer_urls)}")
        yield "removed members", ", ".join(map(hex_id, found.removed_member_ids)) or "none"

    def simple(self) -> Iterable[str]:
        yield from self.plain.simple()
        for title, text in self._lines():
            yield f"{title:<{_TITLE_WIDTH}}{text}"

    def table(self) -> Table:
        rows = [[title, text] for title, text in self._lines()]
        return Table(headers=["what", "found"], rows=rows, left=frozenset({0, 1}))

    def fields(self) -> Iterable[tuple[str, str]]:
        yield from self.plain.fields()
        found = self.details
        yield "Kind", quoted(found.kind)
        yield "FileSize", str(found.file_size)
        yield "Trailer", quoted(found.trailer)
        yield "CurrentRevision", str(found.current_revision)
        if found.compact_revision is not None:
            yield "CompactRevision", str(found.compact_revision)
        yield "CompactionPending", str(found.compaction_pending).lower()
        yield "Revisions", str(found.revisions.total)
        yield "LiveKeys", str(found.revisions.live)
        yield "HistoricRevisions", str(found.revisions.historic)
        yield "Tombstones", str(found.revisions.tombstones)
        yield "PageSize", str(found.pages.size)
        yield "Pages", str(found.pages.total)
        yield "PagesInUse", str(found.pages.in_use)
        yield "PagesFree", str(found.pages.free)
        yield "FreelistPersisted", str(found.pages.freelist_persisted).lower()
        yield "SchemaVersion", quoted(found.schema_version)
        yield "StorageVersion", quoted(found.storage_version)
        yield "ClusterVersion", quoted(found.cluster_version)
        if found.consistent_index is not None:
            yield "ConsistentIndex", str(found.consistent_index)
        if found.term is not None:
            yield "Term", str(found.term)
        for number in found.removed_member_ids:
            yield "RemovedMember", str(number)
            yield "RemovedMember (hex)", quoted(hex_id(number))
        for member in found.members:
            yield "", ""
            yield from member_fields(member)
            yield "IsLearner", str(member.is_learner).lower()

    def as_json(self) -> object:
        found = self.details
        return {
            **self.plain.as_json(),
            "kind": found.kind,
            "fileSize": found.file_size,
            "trailer": found.trailer,
            "currentRevision": found.current_revision,
            "compactRevision": found.compact_revision,
            "compactionPending": found.compaction_pending,
            "revisions": msgspec.to_builtins(found.revisions),
            "pages": {
                "size": found.pages.size,
                "total": found.pages.total,
                "inUse": found.pages.in_use,
                "free": found.pages.free,
                "freelistPersisted": found.pages.freelist_persisted,
            },
            "schemaVersion": found.schema_version,
            "storageVersion": found.storage_version or None,
            "clusterVersion": found.cluster_version or None,
            "consistentIndex": found.consistent_index,
            "term": found.term,
            "members": [{**member_json(member), "isLearner": member.is_learner} for member in found.members],
            "removedMembers": [id_json(number) for number in found.removed_member_ids],
        }


def _or_not_stored(number: int | None) -> str:
    return "not stored" if number is None else str(number)


@command(
    "status",
    short_help="Print hash, revision, keys and size, as etcdutl does.",
    examples=[
        "etcdtool snapshot status snapshot.db",
        "etcdtool snapshot status snapshot.db -w json",
        "etcdtool snapshot status snapshot.db --verbose",
    ],
    exit_codes=UPSTREAM_EXIT_STATUS,
    upstream=True,
)
@click.argument("files", metavar="FILE", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--verbose", is_flag=True, help="Tell of the trailer, revisions, pages, versions and members too; etcdutl does not."
)
@click.pass_context
def status_command(context: click.Context, *, files: tuple[Path, ...], verbose: bool) -> None:
    """Print what etcdutl 3.7 prints of a snapshot: hash, revision, total keys, total size, version.

    Like etcdutl's, this fails where pages are damaged, and does not look at the sha256 at the file's end; with
    --verbose that is told as well. Only etcdtool verify looks at everything and gives a verdict.
    """
    if len(files) != 1:
        raise click.UsageError("snapshot status requires exactly one argument", context)
    with open_database(files[0], whole=True) as database:
        from etcdtool.operations.status import status  # noqa: PLC0415  the file is mapped meanwhile

        plain = _Status(status(database))
        view: _Status | _Verbose = plain
        if verbose:
            from etcdtool.operations.status_details import details  # noqa: PLC0415  likewise

            view = _Verbose(plain, details(database))
    form = write_out()
    if verbose and form is WriteOut.TABLE:
        show(plain, form)
    show(view, form)
