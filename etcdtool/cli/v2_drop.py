"""``etcdtool v2 drop``: take v2 content out of the way of etcd 3.6 and 3.7."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import command, exit_status, write_out
from etcdtool.cli.printers import Table, show
from etcdtool.cli.text import hex_id, printable, quoted
from etcdtool.operations.v2_drop import DropOptions, drop
from etcdtool.operations.v2_drop_content import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from etcdtool.model.schema import Version
    from etcdtool.operations.v2_drop import Dropped
    from etcdtool.operations.v2_drop_member import MemberPlan

__all__ = ["drop_command"]

_VERSIONS: dict[str, Version] = {"3.6": (3, 6), "3.7": (3, 7)}
_EXIT_STATUS = exit_status(
    {
        0: "it was done, or there was nothing to do",
        1: "it failed: a server runs on a data dir, a full disk",
        3: "it was refused, and nothing was written: v2 data would be lost, members are missing, or they have to run "
        "once more",
    }
)


@dataclass(frozen=True, slots=True)
class _View:
    """What was done, or would be."""

    dropped: Dropped

    def _done(self, plan: MemberPlan) -> str:
        if plan.snap is None:
            return "nothing to drop"
        return "would be dropped" if self.dropped.dry_run else "dropped"

    def _content(self) -> str:
        plans = [plan for plan in self.dropped.plans if plan.snap is not None]
        if not plans:
            return "no v2 content in the way"
        content = max(plans, key=lambda plan: plan.index).content
        if not content.nodes and not content.has_auth:
            return "no keys, only requests of the servers themselves"
        auth = f", {counted(content.users, 'user')} and {counted(content.roles, 'role')}" if content.has_auth else ""
        covered = ", covered by the report" if self.dropped.covered and content.nodes else ""
        discarded = ", discarded" if self.dropped.discarded else ""
        return f"{content.described()}{auth}{covered}{discarded}"

    def simple(self) -> Iterable[str]:
        """A line for the content, and a few for each member."""
        yield printable(f"{'v2 content':12} {self._content()}")
        for plan in self.dropped.plans:
            name = plan.members[plan.node_id].name or hex_id(plan.node_id)
            yield printable(f"{'member':12} {name} in {os.fspath(plan.path)}: {self._done(plan)}")
            if plan.snap is not None:
                yield printable(
                    f"{'  .snap':12} {plan.snap.name}, {len(plan.snap_data)} bytes, at raft index {plan.index}"
                )
            if plan.segment is not None:
                place = f"{plan.segment.name} at offset {plan.offset}, {len(plan.frame)} bytes"
                yield printable(f"{'  record':12} {place}")
            if plan.path in self.dropped.kept:
                yield printable(f"{'  kept':12} {self.dropped.kept[plan.path].name}")

    def table(self) -> Table:
        """A row for each member."""
        rows = [
            [
                printable(plan.members[plan.node_id].name or hex_id(plan.node_id)),
                printable(os.fspath(plan.path)),
                self._done(plan),
                str(plan.index),
                "" if plan.segment is None else str(plan.offset),
            ]
            for plan in self.dropped.plans
        ]
        return Table(headers=["member", "data dir", "v2 content", "raft index", "record at"], rows=rows, left=_LEFT)

    def fields(self) -> Iterable[tuple[str, str]]:
        """The same facts, quoted, a block for each member."""
        yield "Content", quoted(self._content())
        for plan in self.dropped.plans:
            yield "", ""
            yield "DataDir", quoted(os.fspath(plan.path))
            yield "MemberID", str(plan.node_id)
            yield "Result", quoted(self._done(plan))
            yield "Index", str(plan.index)
            yield "Term", str(plan.term)
            if plan.snap is not None:
                yield "Snap", quoted(os.fspath(plan.snap))
            if plan.segment is not None:
                yield "Segment", quoted(os.fspath(plan.segment))
                yield "Offset", str(plan.offset)
                yield "Size", str(len(plan.frame))

    def as_json(self) -> object:
        """Everything, for programs."""
        dropped = self.dropped
        return {
            "dry_run": dropped.dry_run,
            "covered": dropped.covered,
            "discarded": dropped.discarded,
            "members": [self._member_json(plan) for plan in dropped.plans],
        }

    def _member_json(self, plan: MemberPlan) -> dict[str, Any]:
        content = plan.content
        kept = self.dropped.kept.get(plan.path)
        return {
            "data_dir": os.fspath(plan.path),
            "id": hex_id(plan.node_id),
            "id_decimal": plan.node_id,
            "name": plan.members[plan.node_id].name,
            "result": self._done(plan),
            "raft_index": plan.index,
            "raft_term": plan.term,
            "content": {
                "keys": content.keys,
                "directories": content.directories,
                "hidden": content.hidden,
                "users": content.users,
                "roles": content.roles,
                "tree_digest": content.digest,
            },
            "snap": os.fspath(plan.snap) if plan.snap is not None else None,
            "segment": os.fspath(plan.segment) if plan.segment is not None else None,
            "offset": plan.offset if plan.segment is not None else None,
            "size": len(plan.frame),
            "kept": os.fspath(kept) if kept is not None else None,
            "findings": [finding.as_json() for finding in plan.findings],
        }


_LEFT = frozenset({0, 1, 2})


@command(
    "drop",
    short_help="Take v2 content out of the way of etcd 3.6 and 3.7.",
    examples=[
        "etcdtool v2 drop m1.etcd m2.etcd m3.etcd --report report.json --dry-run",
        "etcdtool v2 drop m1.etcd m2.etcd m3.etcd --report report.json",
        "etcdtool v2 drop /var/lib/etcd --discard",
    ],
    exit_codes=_EXIT_STATUS,
)
@click.argument("paths", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--wal-dir",
    "wal_dirs",
    metavar="DIR",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the WAL is, if it is kept apart; one for each data dir, in their order.",
)
@click.option(
    "--report",
    "reports",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A report of etcdtool convert --report-file that covers the v2 keys; may be repeated.",
)
@click.option("--discard", is_flag=True, help="Let go what no report covers: keys, users and roles of v2.")
@click.option(
    "--some-members", is_flag=True, help="Work on these, although the cluster has others; the rest is yours to do."
)
@click.option(
    "--for-version",
    type=click.Choice(list(_VERSIONS)),
    default="3.7",
    show_default=True,
    help="The latest etcd that will start on it next; 3.6 takes a little more than 3.7.",
)
@click.option("--dry-run", is_flag=True, help="Read and judge everything, write nothing.")
def drop_command(*, paths: tuple[Path, ...], for_version: str, **given: Any) -> None:
    """Take v2 content out of the way of etcd 3.6 and 3.7, in the data dirs of a stopped cluster.

    Give the data dirs of all members. Each gets a .snap file of the members alone, and one record at the end of its
    log: nothing that was there changes, v3 keys and members stay as they are, and etcd 3.5 starts on it too. It is
    refused as long as v2 keys, users or roles are there that no report covers, unless --discard is given. A kill
    leaves the old state or the new one; run it again to complete.
    """
    form = write_out()
    dropped = drop(paths, DropOptions(version=_VERSIONS[for_version], **given))
    _say_findings(dropped.plans)
    show(_View(dropped), form)


def _say_findings(plans: Sequence[MemberPlan]) -> None:
    for plan in plans:
        for finding in plan.findings:
            print(printable(str(finding)), file=sys.stderr)
