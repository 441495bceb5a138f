"""What ``v2 drop`` finds in one data dir, and what it would write there.

A server starts from the newest ``.snap`` that a record of the log vouches for, and reads the log behind it.  So a
``.snap`` of the cluster's members alone, and a record of it, take all v2 content before them out of its way.  Their
place is the raft index that the database has applied: behind it nothing is lost, and a server finds all three in step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etcdtool.checks import datadir, snap
from etcdtool.errors import AnswerIsNoError, FormatError
from etcdtool.findings import Severity
from etcdtool.formats.raft import ConfState, EntryType
from etcdtool.formats.snap import pack_snap_file, snap_name
from etcdtool.formats.wal import pack_snapshot_frame
from etcdtool.model.conf_state import changed_by
from etcdtool.model.membership import member_id_text
from etcdtool.model.raft_log import parse_conf_change
from etcdtool.model.store_v2 import Store, members
from etcdtool.model.store_v2_json import dump
from etcdtool.model.store_v2_node import Node
from etcdtool.model.v2_leftovers import v2_requests_behind
from etcdtool.operations.v2_cluster import Settled
from etcdtool.operations.v2_drop_content import V2Content, holds_more_than_members
from etcdtool.operations.v2_drop_tail import read_log
from etcdtool.operations.v2_log_end import missing_end
from etcdtool.operations.v2_member import MemberLog
from etcdtool.operations.v2_replay import Replay, replay
from etcdtool.operations.v2_values import restore_values
from etcdtool.operations.verify_datadir import stored_in
from etcdtool.operations.verify_log import LogCheck
from etcdtool.sources import Database, InputFile
from etcdtool.sources.v2 import V2Source
from etcdtool.targets import is_unfinished

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from etcdtool.findings import Finding
    from etcdtool.formats.wal import Scan
    from etcdtool.model.membership import Member
    from etcdtool.model.schema import Version
    from etcdtool.model.v2_leftovers import LoggedV2Request
    from etcdtool.operations.verify_datadir import Stored
    from etcdtool.sources import DataDir

__all__ = ["MemberPlan", "plan_member"]

_NAMED_AT_MOST = 3
_TORN_TAIL = "wal.torn-tail"
_SYNC = "SYNC"
_HINT_VERIFY = "etcdtool verify says more. Use another member's data, or let the server replace this member."
_HINT_SNAP = (
    "Rename the file, .broken behind its name, as a server does that comes to it, and run this again: where an older "
    "one or the log reaches far enough back, nothing is lost by that."
)
_HINT_SETTLE = (
    "Start the whole cluster once more with the version it ran with, without clients that write v2 keys, stop all "
    "members with SIGTERM, and run this again."
)
_HINT_SYNC = (
    "The leader writes SYNC twice a second as long as a key has a TTL, and what it writes while the others stop stays "
    "behind. Start the whole cluster once more with the version it ran with, without clients that write v2 keys, stop "
    "all members with SIGTERM at the same moment, or delete the keys with a TTL before, and run this again."
)
_HINT_SETTLE_3_4 = (
    "etcd 3.4 notes in its database how far it came with v3 requests only: start the whole cluster with etcd 3.5, "
    "which it has to go through anyway, stop all members with SIGTERM, and run this again."
)


@dataclass(slots=True, kw_only=True)
class MemberPlan:
    """One data dir, and what would be written into it.

    Attributes:
        path: the data dir as it was given.
        parts: its files.
        log: its log; behind what a server starts from.
        index, term: where the new ``.snap`` stands.
        members: the cluster's members at that index.
        content: what of v2 would be gone.
        snap: the new file; None where nothing is to be done.
        snap_data: its bytes.
        segment: the file of the log that gets the record; None where the log has that record already.
        offset: where in it.
        frame: the record.
        findings: what is worth telling.
        files: what was read.
        remedy: how the cluster gets into a state in which this can be done.
    """

    path: Path
    parts: DataDir
    member: MemberLog
    log: Scan
    index: int = 0
    term: int = 0
    members: dict[int, Member] = field(default_factory=dict)
    content: V2Content = field(default_factory=V2Content)
    snap: Path | None = None
    snap_data: bytes = b""
    segment: Path | None = None
    offset: int = 0
    frame: bytes = b""
    findings: list[Finding] = field(default_factory=list)
    files: list[InputFile] = field(default_factory=list)
    remedy: str = _HINT_SETTLE

    @property
    def node_id(self) -> int:
        """Id of the member whose log this is."""
        return self.log.node_id


def plan_member(path: Path, parts: DataDir, version: Version) -> MemberPlan:
    """Read a stopped member's data dir, and plan.

    Args:
        path: as it was given, for messages.
        parts: its files.
        version: what is to start afterwards: 3.6 takes some v2 requests that 3.7 does not.

    Raises:
        AnswerIsNoError: it is not in a state in which this can be done; the hint says how to get there.
        FormatError: it is damaged.
        SourceError: a file cannot be read.
    """
    check, left_out = read_log(parts)
    log = _usable_log(path, check)
    source = V2Source(path=str(path), kind="data dir", data_dir=parts)
    member = MemberLog(
        source=source, snap_name=check.start, snap=check.start_snap, log=log, segments=list(log.segments)
    )
    database, stored = _database(path, parts)
    plan = MemberPlan(
        path=path,
        parts=parts,
        member=member,
        log=log,
        index=stored.index,
        files=[*check.files, database.file],
        remedy=_HINT_SETTLE if stored.term else _HINT_SETTLE_3_4,
    )
    _check_index(plan)
    base = member.base_store()
    had_content = holds_more_than_members(base)
    store, conf_state = _store_at(plan, base)
    plan.members = members(store)
    _check_conf_state(plan, conf_state)
    plan.findings += datadir.check_memberships(stored.members, [plan.members], name=database.name)
    behind = [one for one in v2_requests_behind(log, member.base_index) if _is_refused(one, version)]
    plan.content = V2Content.of(store)
    if behind or had_content:
        _refuse_uncommitted(plan)
        _refuse_requests(plan, [one for one in behind if one.index > plan.index])
        _plan_snap(plan, store, conf_state)
        _plan_record(plan, conf_state)
    _refuse_foreign_tail(plan, left_out)
    plan.findings += [one for one in check.findings if one.severity is Severity.WARNING and one.code != _TORN_TAIL]
    return plan


def _usable_log(path: Path, check: LogCheck) -> Scan:
    """Return the log, of which every record can be read but perhaps the last."""
    errors = [one for one in check.findings if one.severity is Severity.ERROR]
    if errors or check.log is None:
        first = errors[0]
        where = f"{path}/{first.where}"
        hint = _HINT_SNAP if first.code == snap.UNREADABLE.code else _HINT_VERIFY
        raise FormatError("data dir", f"{first.code}: {first.detail}", offset=first.offset, where=where, hint=hint)
    return check.log


def _database(path: Path, parts: DataDir) -> tuple[Database, Stored]:
    """Return the database, and what it says of itself."""
    if parts.database is None:
        raise AnswerIsNoError(
            f"{path} has no v3 database, so etcd 3.6 would not start on it either",
            hint="etcdtool convert makes a v3 snapshot of v2 data.",
        )
    database = Database.of(InputFile.open(parts.database), name=str(parts.database), kind="database")
    stored = stored_in(database)
    if stored is None:
        raise FormatError("database", "its members or its applied index cannot be read", where=database.name)
    if not stored.index:
        raise AnswerIsNoError(
            f"the database of {path} has applied nothing: it belongs to a cluster that used v2 only",
            hint="Write a key with etcdctl, or start etcd 3.5 on it; or take what etcdtool convert makes of the data.",
        )
    return database, stored


def _check_index(plan: MemberPlan) -> None:
    """Refuse a database that is not where log and ``.snap`` say it may be."""
    member, index = plan.member, plan.index
    for finding in missing_end(member, [member]):
        raise AnswerIsNoError(f"{plan.path}: {finding.detail}", hint=finding.hint)
    if index < member.base_index:
        raise AnswerIsNoError(
            f"the database of {plan.path} has applied raft index {index}, and {member.snap_name} reaches to "
            f"{member.base_index}",
            hint="Start the server once: it takes the database that its leader has sent. Then run this again.",
        )
    term = member.term_at(index)
    assert term is not None
    plan.term = term


def _store_at(plan: MemberPlan, store: Store) -> tuple[Store, ConfState]:
    """Return the v2 store and raft's members at the planned index, made from the store at the beginning of the log."""
    member, log = plan.member, plan.log
    conf_state = member.snap.conf_state if member.snap is not None else ConfState()
    done = Replay(index=member.base_index, term=member.snap.term if member.snap else 0)
    for row, entry_type in enumerate(log.types[: plan.index - log.after_index]):
        if entry_type == EntryType.NORMAL:
            continue
        at = log.first_index + row
        replay(member, store, done, at - 1)
        change = parse_conf_change(entry_type, log.entry_data(at))
        if store.apply_conf_change(change) is None:
            conf_state = changed_by(conf_state, change)
        done.index = at
    replay(member, store, done, plan.index)
    settled = Settled(member, store, done, plan.index)
    list(restore_values(settled))  # as a conversion sees the values; what it says of them is not about us
    return settled.store, conf_state


def _check_conf_state(plan: MemberPlan, conf_state: ConfState) -> None:
    """Refuse where raft and the v2 store disagree on the members: a new snapshot would settle it by chance."""
    if conf_state.voters_outgoing or conf_state.learners_next:
        raise AnswerIsNoError(f"raft is in the middle of a joint change of members in {plan.path}", hint=plan.remedy)
    for finding in datadir.check_conf_state(conf_state, plan.members, name=str(plan.path)):
        raise AnswerIsNoError(f"{finding.where}: {finding.detail}", hint=finding.hint)
    if plan.node_id not in plan.members:
        raise AnswerIsNoError(
            f"{plan.path} is of {member_id_text(plan.node_id)}, which is no member of its cluster: it was removed, or "
            "this is a backup that starts with --force-new-cluster only",
            hint="Give the data dirs of the members that stayed.",
        )


def _is_refused(request: LoggedV2Request, version: Version) -> bool:
    return any(refuser <= version for refuser in request.refused_by)


def _refuse_uncommitted(plan: MemberPlan) -> None:
    """Refuse a database that is ahead of the commit index: no server believes a record of a snapshot that is."""
    commit_index = plan.log.hard_state.commit
    if plan.index > commit_index:
        raise AnswerIsNoError(
            f"the database of {plan.path} has applied raft index {plan.index}, and the log has committed "
            f"{commit_index} only, as after a kill or a power failure",
            hint=plan.remedy,
        )


def _refuse_requests(plan: MemberPlan, requests: Sequence[LoggedV2Request]) -> None:
    """Refuse where the database has not applied v2 requests yet: no snapshot may stand behind what it has applied."""
    if not requests:
        return
    named = ", ".join(
        f"{one.index} {one.request.method} {one.request.path}".rstrip() for one in requests[:_NAMED_AT_MOST]
    )
    stays = plan.remedy is _HINT_SETTLE and any(one.request.method == _SYNC for one in requests)
    more = f" and {len(requests) - _NAMED_AT_MOST} more" if len(requests) > _NAMED_AT_MOST else ""
    raise AnswerIsNoError(
        f"the log of {plan.path} has v2 requests behind raft index {plan.index}, up to which the database is: "
        f"{named}{more}",
        hint=_HINT_SYNC if stays else plan.remedy,
    )


def _plan_snap(plan: MemberPlan, store: Store, conf_state: ConfState) -> None:
    kept = (store.root.children or {})["0"]
    keys = (store.root.children or {})["1"]
    empty = Node(created_index=keys.created_index, modified_index=keys.modified_index, children={})
    root = Node(
        created_index=store.root.created_index,
        modified_index=store.root.modified_index,
        children={"0": kept, "1": empty},
    )
    database = plan.parts.database
    assert database is not None
    plan.snap = database.with_name(snap_name(plan.term, plan.index))
    plan.snap_data = pack_snap_file(
        dump(root, store.current_index), index=plan.index, term=plan.term, conf_state=conf_state
    )


def _plan_record(plan: MemberPlan, conf_state: ConfState) -> None:
    log = plan.log
    if (plan.index, plan.term) in {(record.index, record.term) for record in log.valid_snapshots()}:
        return  # the server took its own snapshot there: only its content is to go
    plan.frame = pack_snapshot_frame(plan.index, plan.term, conf_state, log.crc)
    last = log.segments[-1]
    plan.segment = next(path for path in plan.parts.segments if path.name == last.name)
    plan.offset = log.end_offset


def _refuse_foreign_tail(plan: MemberPlan, left_out: bytes) -> None:
    """Refuse bytes behind the last record, unless an earlier run was about to add our record."""
    if not is_unfinished(left_out, plan.frame):
        check = LogCheck(parts=plan.parts)
        check.read()
        _usable_log(plan.path, check)  # with the words of one who sees those bytes
    if plan.log.torn_bytes:
        raise AnswerIsNoError(
            f"the log of {plan.path} ends in an incomplete write at offset {plan.log.end_offset:#x}",
            hint=f"A server cuts it off when it starts. {plan.remedy}",
        )
