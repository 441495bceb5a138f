"""``etcdtool wal verify``: every record of a log, and where it is damaged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import command, exit_status, write_out
from etcdtool.cli._lists import bool_text
from etcdtool.cli.printers import Table, show
from etcdtool.cli.text import hex_id, printable, quoted
from etcdtool.operations.wal_source import open_log
from etcdtool.operations.wal_verify import verify_wal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etcdtool.formats.wal.every_record import Damage
    from etcdtool.operations.wal_verify import SegmentFigures, VerifiedLog

__all__ = ["verify_command"]

_DAMAGED = 3


@dataclass(frozen=True, slots=True)
class _VerdictView:
    name: str
    found: VerifiedLog
    notes: list[str]

    def simple(self) -> Iterable[str]:
        for segment in self.found.segments:
            yield f"{segment.name}: {_verdict(segment)} ({segment.records} records{_range(segment)})"
            yield from (f"  {_told(one)}" for one in segment.damage)
        for index, problem in self.found.unreadable:
            yield f"entry {index}: {printable(problem)}"
        for finding in self.found.findings:
            yield printable(str(finding))
        for note in self.notes:
            yield f"note: {printable(note)}"
        log = self.found.log
        replaced = f", {log.replaced} replaced" if log.replaced else ""
        yield (
            f"log: {len(log.places)} entries{replaced}, last index {self._last()}, term {log.term}, commit {log.commit}"
        )
        yield f"node {hex_id(log.node_id)}, cluster {hex_id(log.cluster_id)}"
        yield f"{printable(self.name)}: {'good' if self.found.is_good else 'not good'}"

    def _last(self) -> int:
        places = self.found.log.places
        return places[-1].index if places else 0

    def table(self) -> Table:
        rows = [
            [
                *(segment.name, _verdict(segment), str(segment.records), str(segment.proven)),
                *(str(segment.first_index), str(segment.last_index), "\n".join(map(_told, segment.damage))),
            ]
            for segment in self.found.segments
        ]
        headers = ["file", "verdict", "records", "proven", "first index", "last index", "damage"]
        return Table(headers=headers, rows=rows, left=frozenset({0, 1, 6}))

    def fields(self) -> Iterable[tuple[str, str]]:
        yield "Good", bool_text(self.found.is_good)
        yield "Entries", str(len(self.found.log.places))
        yield "LastIndex", str(self._last())
        yield "Term", str(self.found.log.term)
        yield "Commit", str(self.found.log.commit)
        for segment in self.found.segments:
            yield "", ""
            yield "File", quoted(segment.name)
            yield "Records", str(segment.records)
            yield "Proven", str(segment.proven)
            yield "FirstIndex", str(segment.first_index)
            yield "LastIndex", str(segment.last_index)
            for one in segment.damage:
                yield "Damage", quoted(_told(one))
        for finding in self.found.findings:
            yield "Finding", quoted(str(finding))

    def as_json(self) -> object:
        log = self.found.log
        return {
            "source": self.name,
            "good": self.found.is_good,
            "entries": len(log.places),
            "replaced": log.replaced,
            "lastIndex": self._last(),
            "term": log.term,
            "commit": log.commit,
            "nodeID": hex_id(log.node_id),
            "nodeID_decimal": log.node_id,
            "clusterID": hex_id(log.cluster_id),
            "clusterID_decimal": log.cluster_id,
            "files": [_json(segment) for segment in self.found.segments],
            "unreadable": [{"index": index, "problem": problem} for index, problem in self.found.unreadable],
            "findings": [finding.as_json() for finding in self.found.findings],
            "notes": self.notes,
        }


def _verdict(segment: SegmentFigures) -> str:
    if not segment.is_good:
        return "damaged"
    return "good, a torn tail" if segment.damage else "good"


def _range(segment: SegmentFigures) -> str:
    return f", entries {segment.first_index} to {segment.last_index}" if segment.first_index else ""


def _told(one: Damage) -> str:
    what = "torn tail " if one.is_tail else ""
    return printable(f"{what}at {one.offset:#x}, record {one.number}: {one.problem}")


def _json(segment: SegmentFigures) -> dict[str, Any]:
    return {
        "name": segment.name,
        "size": segment.size,
        "good": segment.is_good,
        "records": segment.records,
        "proven": segment.proven,
        "firstIndex": segment.first_index or None,
        "lastIndex": segment.last_index or None,
        "damage": [
            {"offset": one.offset, "record": one.number, "problem": one.problem, "tornTail": one.is_tail}
            for one in segment.damage
        ],
    }


@command(
    "verify",
    short_help="Check every record of a log, and say where it is damaged.",
    examples=["etcdtool wal verify /var/lib/etcd", "etcdtool wal verify /var/lib/etcd -w json | jq .files"],
    exit_codes=exit_status({3: "the log is damaged"}),
)
@click.argument("source", metavar="DIR", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--wal-dir", type=click.Path(path_type=Path), help="Where the log is when it is kept apart.")
def verify_command(*, source: Path, wal_dir: Path | None) -> None:
    """Check every record of the log in DIR, file by file, and then the whole as a server reads it at its start.

    DIR is a data dir, its member or wal folder, or a single .wal file. A wrong checksum does not end the work: each
    damaged place is told with file, offset and record. A write that a crash cut off at the end is no damage: what it
    held was never acknowledged. etcdtool verify looks at the database and the .snap files too.
    """
    with open_log(source, wal_dir=wal_dir) as log:
        found = verify_wal(log)
        notes = log.notes
    show(_VerdictView(str(source), found, notes), write_out())
    if not found.is_good:
        click.get_current_context().exit(_DAMAGED)
