"""Data dirs of members with made-up raft logs: each entry, each commit index is the test's choice."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etcdtool.formats.raft import ConfState, EntryType, HardState
from etcdtool.formats.snap import pack_snap_file, snap_name
from etcdtool.formats.wal import WalWriter, pack_metadata
from etcdtool.formats.wire import etcdserver_pb2, raft_internal_pb2, raft_pb2
from etcdtool.model.membership import Member
from etcdtool.model.raft_log import ConfChangeType, parse_conf_change, parse_request
from etcdtool.model.store_v2 import Store

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CLUSTER_ID = 0xC1
_ids = itertools.count(1)


@dataclass(frozen=True)
class LogEntry:
    """One entry before it has an index."""

    term: int
    data: bytes | None = None
    type: EntryType = EntryType.NORMAL


@dataclass
class History:
    """Entries of one log, the first at raft index 1: ``History().with_voters(1, 2, 3).put("/a", "1")``."""

    entries: list[LogEntry] = field(default_factory=list)
    term: int = 1

    def copy(self, length: int | None = None) -> History:
        """Give the same log, or its beginning, to go on from."""
        return History(self.entries[:length], self.term)

    def in_term(self, term: int) -> History:
        """Go on in another term; a new leader begins it with an entry without data."""
        self.term = term
        return self.no_op()

    def no_op(self) -> History:
        return self._add(None)

    def put(self, path: str, value: str) -> History:
        return self._add(v2_request("PUT", path, value))

    def quorum_get(self, path: str) -> History:
        return self._add(v2_request("QGET", path))

    def v3_put(self, key: bytes, value: bytes) -> History:
        request = raft_internal_pb2.InternalRaftRequest()
        request.put.key, request.put.value = key, value
        return self._add(request.SerializeToString())

    def with_voters(self, *numbers: int) -> History:
        for number in numbers:
            self.change_members(ConfChangeType.ADD_NODE, number)
        return self

    def change_members(self, change: ConfChangeType, number: int) -> History:
        member = Member(id=number, peer_urls=(url_of(number),), is_learner=change is ConfChangeType.ADD_LEARNER_NODE)
        context = b"" if change is ConfChangeType.REMOVE_NODE else member.as_json().encode()
        message = raft_pb2.ConfChange(id=next(_ids), type=change, node_id=number, context=context)
        return self._add(message.SerializeToString(), EntryType.CONF_CHANGE)

    def store(self, index: int) -> Store:
        """Give the v2 store as it is after the entry of this raft index."""
        store = Store()
        for entry in self.entries[:index]:
            if entry.type is EntryType.CONF_CHANGE:
                store.apply_conf_change(parse_conf_change(entry.type, entry.data or b""))
            else:
                store.apply(parse_request(entry.data or b""))
        return store

    def _add(self, data: bytes | None, entry_type: EntryType = EntryType.NORMAL) -> History:
        self.entries.append(LogEntry(self.term, data, entry_type))
        return self

    def __len__(self) -> int:
        return len(self.entries)


def v2_request(method: str, path: str, value: str = "") -> bytes:
    """Give a request of the v2 API as a 3.4 server proposes it: every field, zeros too."""
    return etcdserver_pb2.Request(
        ID=next(_ids),
        Method=method.encode(),
        Path=f"/1{path}".encode(),
        Val=value.encode(),
        Dir=False,
        PrevValue=b"",
        PrevIndex=0,
        Expiration=0,
        Wait=False,
        Since=0,
        Recursive=False,
        Sorted=False,
        Quorum=False,
        Time=0,
        Stream=False,
    ).SerializeToString()


def url_of(number: int) -> str:
    """Give a member's peer URL."""
    return f"http://127.0.0.1:{9000 + number}"


def write_member(
    folder: Path,
    number: int,
    history: History,
    *,
    commit: int,
    snap_at: int = 0,
    voters: Iterable[int] = (),
    cluster_id: int = CLUSTER_ID,
) -> Path:
    """Write the data dir of member ``number``: its log, its commit index, and a ``.snap`` at ``snap_at`` if not 0."""
    data_dir = folder / f"m{number}.etcd"
    wal_dir, snap_dir = data_dir / "member/wal", data_dir / "member/snap"
    wal_dir.mkdir(parents=True)
    snap_dir.mkdir()
    writer = WalWriter(pack_metadata(number, cluster_id))
    for index, entry in enumerate(history.entries, 1):
        writer.save_entry(index, entry.term, entry.data, entry.type)
        if index == snap_at:
            writer.save_snapshot(index, entry.term)
            state = ConfState(voters=tuple(voters))
            data = pack_snap_file(history.store(index).dump_json(), index=index, term=entry.term, conf_state=state)
            (snap_dir / snap_name(entry.term, index)).write_bytes(data)
    writer.save_state(HardState(history.entries[-1].term, 0, commit))
    for name, data in writer.files(allocated_size=1 << 16):
        (wal_dir / name).write_bytes(data)
    return data_dir
