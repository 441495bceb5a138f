"""Where does the log end? The entries past the stored commit index, for one member and for several of one cluster.

A sole voter commits everything in its log when it next starts.  With several voters an entry past the commit index that
a disk holds may be an acknowledged write or one that never reached a quorum; given several members' data dirs, what a
quorum holds is committed, and the rest is for the user to decide.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from etcdtool.errors import FormatError, UsageError
from etcdtool.findings import Finding, Severity
from etcdtool.model.store_v2 import members, removed_members
from etcdtool.operations.v2_replay import Replay, TailEntry, describe, replay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etcdtool.model.membership import Member
    from etcdtool.model.store_v2 import Store
    from etcdtool.operations.v2_member import MemberLog

__all__ = ["Settled", "TailPolicy", "check_one_cluster", "check_one_history", "settle"]


class TailPolicy(Enum):
    """What the user says about entries that may or may not have been acknowledged."""

    APPLY = "apply"
    IGNORE = "ignore"


@dataclass(slots=True)
class Settled:
    """The store at the end of the log.

    Attributes:
        member: whose log was used: the one with the highest (last term, last index).
        store: as it is after the last entry applied.
        replay: what was applied.
        commit_index: highest commit index that any member knew of.
        tail: entries behind what was applied.
        undecided: the tail could change v2 keys, and nobody said what to do about it.
        findings: how the end was chosen.
    """

    member: MemberLog
    store: Store
    replay: Replay
    commit_index: int
    tail: list[TailEntry] = field(default_factory=list)
    undecided: bool = False
    findings: list[Finding] = field(default_factory=list)


def settle(logs: Sequence[MemberLog], policy: TailPolicy | None) -> Settled:
    """Apply what is committed, then what can be shown to be, and hold out the rest.

    Args:
        logs: the data dirs of one cluster's members, at least one.
        policy: the user's word about the rest.

    Raises:
        UsageError: the data dirs are not of one cluster.
        FormatError: no log that was given reaches as far as another member's commit index.
    """
    check_one_cluster(logs)
    newest = max(logs, key=_last)
    check_one_history(logs, newest)
    store = newest.base_store()
    settled = Settled(
        newest,
        store,
        Replay(index=newest.base_index, term=newest.snap.term if newest.snap else 0),
        commit_index=max(log.commit_index for log in logs),
    )
    _, last_index = newest.last
    if last_index < settled.commit_index:
        raise FormatError(
            "wal",
            f"ends at raft index {last_index}, but another member has committed up to {settled.commit_index}",
            where=newest.source.path,
            hint="Give the data dirs of more members.",
        )
    replay(newest, store, settled.replay, settled.commit_index)
    _say_who_is_missing(logs, settled)
    if last_index > settled.commit_index:
        _settle_tail(logs, settled, policy, last_index)
    return settled


def _last(log: MemberLog) -> tuple[int, int]:
    return log.last


def check_one_cluster(logs: Sequence[MemberLog]) -> None:
    """Refuse logs of several clusters, and one that cannot be told; UsageError."""
    clusters = {log.log.cluster_id: log for log in logs if log.log is not None and log.log.cluster_id}
    if len(clusters) > 1:
        named = ", ".join(f"{log.source.path} is of cluster {number:x}" for number, log in clusters.items())
        raise UsageError(f"the data dirs are not of one cluster: {named}", hint="Give the members of one cluster only.")
    if len(logs) > 1 and any(log.log is None for log in logs):
        loose = next(log for log in logs if log.log is None)
        raise UsageError(
            f"{loose.source.path} has no log, so it cannot be compared with other members", hint="Give it by itself."
        )


def check_one_history(logs: Sequence[MemberLog], newest: MemberLog) -> None:
    """Refuse logs that committed different entries: one of them is of another life of the cluster; UsageError."""
    for log in logs:
        index = min(log.commit_index, newest.last[1])
        term, other = log.term_at(index), newest.term_at(index)
        if term is not None and other is not None and term != other:
            raise UsageError(
                f"the data dirs have no history in common: entry {index} is of term {term} in {log.source.path}, "
                f"where it is committed, and of term {other} in {newest.source.path}",
                hint="One of them was started anew from a backup; give those that ran together last.",
            )


def _say_who_is_missing(logs: Sequence[MemberLog], settled: Settled) -> None:
    """Warn where an acknowledged write may be on members that were not given only."""
    newest, known = settled.member, members(settled.store)
    if newest.log is None:
        return
    number = newest.log.node_id
    if number in removed_members(settled.store):
        _say(
            settled,
            "v2.member-removed",
            Severity.WARNING,
            "this member was removed from the cluster: what was written since is not in it",
            hint="Give the data dirs of the members that stayed.",
        )
        return
    voters = _voters(known)
    given = len(voters.intersection(_newest_of_each(logs)))
    needed = len(voters) - len(voters) // 2  # every quorum has one of so many
    if number in known and given < needed:
        _say(
            settled,
            "v2.members-missing",
            Severity.WARNING,
            f"the data of {given} of {len(voters)} voters were given, so what only others have acknowledged is not "
            "in the result",
            hint=f"Give the data dirs of at least {needed} voters together.",
        )


def _voters(known: dict[int, Member]) -> set[int]:
    return {number for number, member in known.items() if not member.is_learner}


def _newest_of_each(logs: Sequence[MemberLog]) -> dict[int, MemberLog]:
    """Give one log a member, the newest where copies of different age were given."""
    return {log.log.node_id: log for log in sorted(logs, key=_last) if log.log is not None}


def _settle_tail(logs: Sequence[MemberLog], settled: Settled, policy: TailPolicy | None, last_index: int) -> None:
    newest, store = settled.member, settled.store
    assert newest.log is not None
    node_id = newest.log.node_id
    known = members(store)
    voters = _voters(known)
    past = last_index - settled.commit_index
    if voters == {node_id}:
        replay(newest, store, settled.replay, last_index)
        _say(
            settled,
            "v2.tail-of-sole-voter",
            Severity.NOTE,
            f"{past} entries past the stored commit index {settled.commit_index} were applied: "
            "a sole voter commits its whole log when it starts",
        )
        return
    reached = _reach_of_quorum(logs, newest, voters, settled.commit_index)
    if reached > settled.commit_index:
        replay(newest, store, settled.replay, reached)
        _say(
            settled,
            "v2.tail-of-quorum",
            Severity.NOTE,
            f"{reached - settled.commit_index} entries past the stored commit index {settled.commit_index} "
            "were applied: a quorum of the members holds them",
        )
    _leave_to_user(settled, policy, last_index, is_member=node_id in known)


def _reach_of_quorum(logs: Sequence[MemberLog], newest: MemberLog, voters: set[int], commit_index: int) -> int:
    """Return the highest index up to which a quorum of the voters holds the newest log's entries."""
    _, last_index = newest.last
    holders = [log for number, log in _newest_of_each(logs).items() if number in voters]
    quorum = len(voters) // 2 + 1
    for index in range(commit_index + 1, last_index + 1):
        term = newest.term_at(index)
        held = sum(log.term_at(index) == term for log in holders)
        if held < quorum:
            return index - 1
    return last_index


def _leave_to_user(settled: Settled, policy: TailPolicy | None, last_index: int, *, is_member: bool) -> None:
    """Apply the rest, leave it out, or hold it out as undecided."""
    newest = settled.member
    assert newest.log is not None
    if settled.replay.index >= last_index:
        return
    tail = [describe(entry) for entry in newest.log.entries(settled.replay.index + 1)]
    changing = [entry for entry in tail if entry.changes_v2]
    if policy is TailPolicy.APPLY or not changing:
        replay(newest, settled.store, settled.replay, last_index)
        if changing:
            _say(
                settled,
                "v2.tail-applied",
                Severity.WARNING,
                f"{len(tail)} entries that may never have been acknowledged were applied, as --tail apply asks",
            )
        return
    settled.tail = tail
    if policy is TailPolicy.IGNORE:
        _say(
            settled,
            "v2.tail-ignored",
            Severity.WARNING,
            f"{len(tail)} entries that may have been acknowledged were left out, as --tail ignore asks",
        )
    elif not is_member:
        why = (
            "this member was removed from the cluster"
            if newest.log.node_id in removed_members(settled.store)
            else "the log is of no member that it knows, as in a backup, which starts with --force-new-cluster only"
        )
        _say(
            settled,
            "v2.tail-left-out",
            Severity.WARNING,
            f"{len(tail)} entries past the commit index {settled.commit_index} were left out, as a server does: {why}",
            hint="Choose --tail apply to have them.",
        )
    else:
        settled.undecided = True


def _say(settled: Settled, code: str, severity: Severity, detail: str, *, hint: str = "") -> None:
    settled.findings.append(
        Finding(code=code, severity=severity, where=settled.member.source.path, detail=detail, hint=hint)
    )
