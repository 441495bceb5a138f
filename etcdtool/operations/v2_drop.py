"""``v2 drop``: take v2 content out of the way of etcd 3.6 and 3.7, by adding to the data dirs of a stopped cluster.

All members are read and judged before anything is written.  Then, one after the other, each gets a ``.snap`` of the
cluster's members alone, synced, and one record of it at the end of its log, synced.  Until that record is whole,
servers do not know of the new ``.snap``; no byte that was in the log changes.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING

from etcdtool.errors import AnswerIsNoError, EtcdtoolError, SourceError, UsageError
from etcdtool.model.membership import member_id_text
from etcdtool.operations.conversion_cover import read_cover
from etcdtool.operations.v2_cluster import check_one_cluster, check_one_history
from etcdtool.operations.v2_drop_content import counted
from etcdtool.operations.v2_drop_member import plan_member
from etcdtool.operations.v2_drop_write import apply
from etcdtool.sources import holder_of, locate
from etcdtool.sources.files import is_folder
from etcdtool.targets import Hold

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from etcdtool.model.schema import Version
    from etcdtool.operations.conversion_cover import Cover
    from etcdtool.operations.v2_drop_member import MemberPlan
    from etcdtool.sources import DataDir

__all__ = ["DropOptions", "Dropped", "drop"]

_HINT_STOP = "Stop all members, and keep them stopped until this command is done."
_HINT_CONVERT = (
    "Convert them first (etcdtool convert --report-file), and give that report with --report; or let them go with "
    "--discard."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DropOptions:
    """One field for each flag of ``v2 drop``.

    Attributes:
        wal_dirs: where the logs are, if they are kept apart; one for each data dir.
        reports: reports of ``convert --report-file`` about these data.
        discard: let go what no report covers.
        some_members: work on these, although the cluster has others.
        version: what is to start on them.
        dry_run: read and judge, write nothing.
    """

    wal_dirs: Sequence[Path] = ()
    reports: Sequence[Path] = ()
    discard: bool = False
    some_members: bool = False
    version: Version = (3, 7)
    dry_run: bool = False


@dataclass(slots=True, kw_only=True)
class Dropped:
    """What was done, or would be.

    Attributes:
        plans: one a data dir, in the order they were given.
        covered: the reports cover all keys that there were.
        discarded: something was let go that no report covers.
        kept: of a ``.snap`` that the server itself had taken at that index, the name under which it is kept.
        dry_run: nothing was written.
    """

    plans: Sequence[MemberPlan]
    covered: bool = False
    discarded: bool = False
    kept: dict[Path, Path] = field(default_factory=dict)
    dry_run: bool = False


def drop(paths: Sequence[Path], options: DropOptions) -> Dropped:
    """Do it for all members of a cluster.

    Args:
        paths: their data dirs.
        options: what the user chose.

    Raises:
        UsageError: the data dirs do not go together.
        SourceError: one is no data dir, or cannot be read.
        AnswerIsNoError: v2 data would be lost, a member is missing, or one is in a state that does not allow it.
        FormatError: one is damaged.
        EtcdtoolError: a server runs on one, or the disk refuses.
    """
    located = _located(paths, options.wal_dirs)
    cover = read_cover(options.reports)
    with contextlib.ExitStack() as stack:
        holds = [] if options.dry_run else [stack.enter_context(_hold(parts)) for parts in located.values()]
        if options.dry_run:
            _refuse_holders(located.values())
        plans = [plan_member(path, parts, options.version) for path, parts in located.items()]
        _check_together(plans, some_members=options.some_members)
        result = Dropped(plans=plans, dry_run=options.dry_run)
        _check_content(result, cover, discard=options.discard)
        if not options.dry_run:
            for plan in plans:
                for file in plan.files:
                    file.check_unchanged()
            for hold in holds:
                hold.refuse_company()
            _apply(result)
    return result


def _located(paths: Sequence[Path], wal_dirs: Sequence[Path]) -> dict[Path, DataDir]:
    if wal_dirs and len(wal_dirs) != len(paths):
        raise UsageError(
            f"{len(wal_dirs)} --wal-dir for {len(paths)} data dirs", hint="Give one for each, in the same order."
        )
    located: dict[Path, DataDir] = {}
    for path, wal_dir in zip_longest(paths, wal_dirs):
        parts = locate(path, wal_dir=wal_dir) if is_folder(path) else None
        if parts is None or not (parts.segments or parts.database):
            raise SourceError(
                f"{path} is no data dir",
                hint="Give the folder that member/ is in, unpacked: it is worked on where it stands.",
            )
        for other in located:
            if path.samefile(other):
                raise UsageError(f"{path} and {other} are the same folder")
        located[path] = parts
    return located


def _hold(parts: DataDir) -> Hold:
    return Hold(database=parts.database, segments=parts.segments)


def _refuse_holders(located: Iterable[DataDir]) -> None:
    """Refuse what a server runs on, without locking anything."""
    for parts in located:
        holder = holder_of(parts.lockable)
        if holder is not None:
            raise EtcdtoolError(f"{parts.root}: {holder}", hint=_HINT_STOP)


def _check_together(plans: Sequence[MemberPlan], *, some_members: bool) -> None:
    """Refuse data dirs of several clusters, two of one member, and a cluster that is not complete."""
    logs = [plan.member for plan in plans]
    check_one_cluster(logs)
    newest = max(plans, key=lambda plan: plan.member.last)
    check_one_history(logs, newest.member)
    given: dict[int, Path] = {}
    for plan in plans:
        if plan.node_id in given:
            raise UsageError(
                f"{given[plan.node_id]} and {plan.path} are both of member {member_id_text(plan.node_id)}",
                hint="Give the one that its server starts on.",
            )
        given[plan.node_id] = plan.path
    missing = [member for number, member in sorted(newest.members.items()) if number not in given]
    if missing and not some_members:
        named = ", ".join(f"{member_id_text(member.id)} {member.name}".rstrip() for member in missing)
        raise AnswerIsNoError(
            f"the cluster has {len(newest.members)} members, and these were not given: {named}",
            hint="Bring all data dirs to one machine, or run it on each with --some-members while all are stopped.",
        )


def _check_content(result: Dropped, cover: Cover | None, *, discard: bool) -> None:
    """Refuse to let anything go that no report covers, unless the user says so."""
    left = [plan for plan in result.plans if plan.snap is not None]
    if not left:
        return
    newest = max(left, key=lambda plan: (plan.term, plan.index))  # others have older states of the same tree
    content = newest.content
    if cover is not None and content.nodes and cover.digest != content.digest:
        raise AnswerIsNoError(
            f"the report is of another v2 tree than the one in {newest.path}: that has "
            f"{content.described()}, v2 index {content.index}",
            hint="If the cluster ran since the conversion, convert again, and give the new report.",
        )
    result.covered = cover is not None and not cover.left_out
    if discard:
        result.discarded = content.has_auth or (bool(content.nodes) and not result.covered)
        return
    if content.nodes and cover is None:
        raise AnswerIsNoError(f"{newest.path} holds v2 data: {content.described()}", hint=_HINT_CONVERT)
    if content.nodes and cover is not None and cover.left_out:
        raise AnswerIsNoError(
            f"the report leaves out {len(cover.left_out)} nodes of {newest.path}: {cover.named()}", hint=_HINT_CONVERT
        )
    if content.has_auth:
        raise AnswerIsNoError(
            f"{newest.path} holds {counted(content.users, 'user')} and {counted(content.roles, 'role')} of v2, which "
            "no conversion covers",
            hint="Make them anew with etcdctl, note what they may do, and give --discard as well.",
        )


def _apply(result: Dropped) -> None:
    done = 0
    for plan in result.plans:
        if plan.snap is None:
            continue
        try:
            kept = apply(plan)
        except EtcdtoolError as error:
            if done:
                error.hint = f"{done} of {len(result.plans)} members are done; run it again for the rest. {error.hint}"
            raise
        if kept is not None:
            result.kept[plan.path] = kept
        done += 1
