"""``etcdtool v2 status``: what a source is and what it holds, at a glance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import command, write_out
from etcdtool.cli._members import member_json
from etcdtool.cli._reports import count_line
from etcdtool.cli._v2_nodes import is_hidden
from etcdtool.cli._v2_source import opened, source_options
from etcdtool.cli.printers import Table, show
from etcdtool.cli.text import hex_id, human_size, printable, quoted
from etcdtool.cli.times import rfc3339
from etcdtool.cli.v2 import SOURCE_EXIT_STATUS
from etcdtool.model.store_v2 import cluster_version

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from etcdtool.operations.read_v2 import V2Data
    from etcdtool.operations.v2_member import MemberLog

__all__ = ["status_command"]

_TAIL_SHOWN_AT_MOST = 10
_ANSWER_IS_NO = 3


@dataclass(slots=True)
class _Counts:
    """What the nodes are; ``hidden``, ``ttl`` and ``expired`` count keys and directories together."""

    keys: int = 0
    directories: int = 0
    hidden: int = 0
    ttl: int = 0
    expired: int = 0
    value_bytes: int = 0

    @classmethod
    def of(cls, data: V2Data) -> _Counts:
        counts = cls()
        for node, _ in data.rows(even_undecided=True):
            if node.is_directory:
                counts.directories += 1
            else:
                counts.keys += 1
                counts.value_bytes += len(node.value)
            counts.hidden += is_hidden(node.path)
            if node.expires is not None:
                counts.ttl += 1
                counts.expired += node.expires <= data.as_of
        return counts


@dataclass(frozen=True, slots=True)
class _Status:
    data: V2Data
    counts: _Counts

    @property
    def exit_code(self) -> int:
        """0, or 3 when there are no keys, the log's end is undecided, or something is wrong."""
        empty = not self.counts.keys and not self.counts.directories
        return _ANSWER_IS_NO if empty or self.data.tail_undecided else self.data.report.exit_code

    def _facts(self) -> Iterable[tuple[str, str]]:
        data, counts = self.data, self.counts
        for origin in data.origins:
            yield "source", f"{origin.path}: {origin.kind}"
        for log in data.logs:
            yield "read", _files_read(log)
        yield "as of", rfc3339(data.as_of)
        if data.cluster_id:
            yield "cluster", f"{hex_id(data.cluster_id)}, version {cluster_version(data.store) or 'unknown'}"
        members = data.members()
        if members:
            names = ", ".join(f"{member.name or '?'} {hex_id(number)}" for number, member in sorted(members.items()))
            yield "members", f"{len(members)}: {names}"
        yield "v2 index", str(data.current_index)
        if data.settled is not None:
            yield "raft", f"index {data.raft_index}, term {data.raft_term}, commit index on disk {data.commit_index}"
        yield "keys", f"{counts.keys}, {human_size(counts.value_bytes)} of values"
        yield "directories", str(counts.directories)
        yield "hidden", str(counts.hidden)
        yield "with a ttl", f"{counts.ttl}, of which {counts.expired} expired"
        users, roles = data.auth_counts()
        yield "v2 auth", f"{'on' if data.auth_enabled() else 'off'}, {users} users, {roles} roles"

    def simple(self) -> Iterable[str]:
        for name, text in self._facts():
            yield f"{name:11}  {printable(text)}"
        if not self.counts.keys and not self.counts.directories:
            yield "it holds no v2 keys"
        yield from self._tail_lines()
        yield f"{'findings':11}  {count_line(self.data.report)}"
        for finding in self.data.report.findings:
            yield f"  {printable(str(finding))}"

    def _tail_lines(self) -> Iterable[str]:
        tail = self.data.tail
        if not tail:
            return
        word = "not decided: choose --tail apply or ignore" if self.data.tail_undecided else "left out"
        yield f"{'tail':11}  {len(tail)} entries past the commit index, {word}"
        for entry in tail[:_TAIL_SHOWN_AT_MOST]:
            yield printable(f"  {entry.index} (term {entry.term}) {entry.summary}")
        if len(tail) > _TAIL_SHOWN_AT_MOST:
            yield f"  and {len(tail) - _TAIL_SHOWN_AT_MOST} more; -w json has all"

    def table(self) -> Table:
        counts = self.counts
        row = [counts.keys, counts.directories, counts.hidden, counts.ttl, counts.expired, self.data.current_index]
        headers = ["keys", "directories", "hidden", "ttl", "expired", "v2 index"]
        return Table(headers=headers, rows=[[str(cell) for cell in row]])

    def fields(self) -> Iterable[tuple[str, str]]:
        for name, text in self._facts():
            yield name.capitalize(), text if text.isdecimal() else quoted(text)
        for finding in self.data.report.findings:
            yield "Finding", quoted(str(finding))

    def as_json(self) -> object:
        data = self.data
        users, roles = data.auth_counts()
        return {
            "sources": [{"path": printable(origin.path), "kind": origin.kind} for origin in data.origins],
            "logs": [_log_json(log) for log in data.logs],
            "as_of": rfc3339(data.as_of),
            "complete": data.complete,
            "cluster_id": hex_id(data.cluster_id),
            "cluster_id_decimal": data.cluster_id,
            "cluster_version": cluster_version(data.store),
            "members": [member_json(member) for _, member in sorted(data.members().items())],
            "current_index": data.current_index,
            "raft_index": data.raft_index,
            "raft_term": data.raft_term,
            "commit_index": data.commit_index,
            "applied": dict(data.applied_kinds or {}),
            **asdict(self.counts),
            "auth": {"enabled": data.auth_enabled(), "users": users, "roles": roles},
            "tail": [{"index": entry.index, "term": entry.term, "summary": entry.summary} for entry in data.tail],
            "tail_undecided": data.tail_undecided,
            "findings": [finding.as_json() for finding in data.report.findings],
        }


def _files_read(log: MemberLog) -> str:
    parts = [log.snap_name] if log.snap_name else []
    if log.log is not None:
        names = [segment.name for segment in log.log.segments]
        count = log.log.entry_count
        entries = f"raft index {log.log.first_index} to {log.log.last_index}" if count else "nothing behind it"
        parts.append(f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''} ({entries})")
    return ", ".join(parts)


def _log_json(log: MemberLog) -> dict[str, Any]:
    record: dict[str, Any] = {"path": printable(log.source.path), "snap": log.snap_name or None}
    if log.log is not None:
        record |= {
            "node_id": hex_id(log.log.node_id),
            "node_id_decimal": log.log.node_id,
            "segments": [segment.name for segment in log.log.segments],
            "first_index": log.log.first_index if log.log.entry_count else None,
            "last_index": log.log.last_index if log.log.entry_count else None,
        }
    return record


@command(
    "status",
    short_help="Say what a source is and what it holds.",
    examples=[
        "etcdtool v2 status /var/lib/etcd",
        "etcdtool v2 status c1.etcd c2.etcd c3.etcd",
        "etcdtool v2 status /var/lib/etcd -w json | jq .keys",
    ],
    exit_codes=SOURCE_EXIT_STATUS,
)
@source_options
def status_command(sources: tuple[Path, ...], **reading: Any) -> None:
    """Say what SOURCE is and what it holds: members, indexes, counts of keys, what is left to decide, what is wrong."""
    form = write_out()
    with opened(sources, quiet=True, **reading) as data:
        status = _Status(data, _Counts.of(data))
        show(status, form)
    click.get_current_context().exit(status.exit_code)
