"""``wal dump``: the entries of a log, decoded, or all its records, as far as they can be read.

Upstream: ``tools/etcd-dump-logs`` @ v3.6.14 and v3.7.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from etcdtool.errors import FormatError
from etcdtool.formats import wire
from etcdtool.formats.raft import EntryType
from etcdtool.formats.wal import RecordType
from etcdtool.formats.wal.every_record import Damage, LogRecord, iter_all_records
from etcdtool.formats.wal.records import parse_entry
from etcdtool.model.raft_log import V2Request, V3Request, parse_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.protobuf.message import Message

    from etcdtool.formats.wal import Segment

__all__ = ["ALIASES", "Dump", "DumpedEntry", "Selection", "dump_entries", "known_types"]

CONF, EMPTY, V2, V3, UNREADABLE = "conf", "empty", "v2", "v3", "unreadable"
_OF_ENTRIES = (CONF, EMPTY, V2, V3, UNREADABLE)
ALIASES = {
    "configchange": CONF,
    "request": V2,
    "internalraftrequest": V3,
    "irrrange": "range",
    "irrput": "put",
    "irrdeleterange": "delete_range",
    "irrtxn": "txn",
    "irrcompaction": "compaction",
    "irrleasegrant": "lease_grant",
    "irrleaserevoke": "lease_revoke",
    "irrleasecheckpoint": "lease_checkpoint",
}
"""What ``etcd-dump-logs --entry-type`` calls them, in lower case."""

_V2_FIELD, _HEADER, _ID = "v2", "header", "ID"


class DumpedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the log.

    Attributes:
        index, term: as raft counts.
        type: an `EntryType`, or a number that no version knows.
        kind: ``conf``, ``empty``, ``v2``, ``unreadable``, or the v3 request's name ("put"; "" for one that is unknown).
        segment, offset: where it stands: file name and bytes from its start.
        data: as stored.
        committed: whether the log says so.
        proven: whether a checksum vouches for it.
        v2: the request of the v2 API.
        message: the decoded message: a v3 request, or a configuration change.
        problem: why it cannot be decoded, or "".
    """

    index: int
    term: int
    type: int
    kind: str
    segment: str
    offset: int
    data: bytes
    committed: bool
    proven: bool
    v2: V2Request | None = None
    message: Message | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which entries are wanted.

    Attributes:
        from_index, to_index: the first and the last; None: no bound.
        types: kinds as of `DumpedEntry`, and ``v3`` for all requests of v3; empty: all.
        term: None: any.
    """

    from_index: int | None = None
    to_index: int | None = None
    types: frozenset[str] = frozenset()
    term: int | None = None

    def wants_place(self, index: int, term: int) -> bool:
        """Tell by index and term."""
        return (
            (self.from_index is None or index >= self.from_index)
            and (self.to_index is None or index <= self.to_index)
            and self.term in {None, term}
        )

    def wants(self, entry: DumpedEntry) -> bool:
        """Tell by type."""
        kinds = {entry.kind} if entry.kind in _OF_ENTRIES else {entry.kind, V3}
        return not self.types or not self.types.isdisjoint(kinds)


class _Place(msgspec.Struct, frozen=True, gc=False):
    """An entry before it is decoded."""

    index: int
    term: int
    type: int
    segment: int
    offset: int
    data: memoryview | bytes
    proven: bool


@dataclass(slots=True)
class Dump:
    """What was met on the way to the entries.

    Attributes:
        segments: the files.
        damage: where the log is damaged.
        places: entries that no later one replaced, by index.
        replaced: how many were.
        node_id, cluster_id: of the metadata, 0 without one.
        term, vote, commit: of the last state.
        snapshots: (index, term) of the records of snapshots.
    """

    segments: Sequence[Segment]
    damage: list[Damage] = field(default_factory=list)
    places: list[_Place] = field(default_factory=list)
    replaced: int = 0
    node_id: int = 0
    cluster_id: int = 0
    term: int = 0
    vote: int = 0
    commit: int = 0
    snapshots: list[tuple[int, int]] = field(default_factory=list)

    def entries(self, selection: Selection) -> Iterator[DumpedEntry]:
        """Yield the wanted entries, decoded."""
        for place in self.places:
            if selection.wants_place(place.index, place.term):
                entry = self._decoded(place)
                if selection.wants(entry):
                    yield entry

    def _decoded(self, place: _Place) -> DumpedEntry:
        data = bytes(place.data)
        kind, v2, message, problem = _decode(place.type, data)
        return DumpedEntry(
            index=place.index,
            term=place.term,
            type=place.type,
            kind=kind,
            segment=self.segments[place.segment].name,
            offset=place.offset,
            data=data,
            committed=place.index <= self.commit,
            proven=place.proven,
            v2=v2,
            message=message,
            problem=problem,
        )

    def take(self, record: LogRecord) -> None:
        """Take a record; one that does not parse is damage."""
        try:
            if record.type == RecordType.ENTRY:
                self._take_entry(record)
            elif record.type == RecordType.STATE:
                state = wire.raft_pb2.HardState.FromString(bytes(record.data))
                self.term, self.vote, self.commit = state.term, state.vote, max(self.commit, state.commit)
            elif record.type == RecordType.METADATA:
                metadata = wire.etcdserver_pb2.Metadata.FromString(bytes(record.data))
                self.node_id, self.cluster_id = metadata.NodeID, metadata.ClusterID
            elif record.type == RecordType.SNAPSHOT:
                snapshot = wire.wal_pb2.Snapshot.FromString(bytes(record.data))
                self.snapshots.append((snapshot.index, snapshot.term))
            elif record.type != RecordType.CRC:
                self._broken(record, f"the record has the unknown type {record.type}")
        except wire.DecodeError:
            self._broken(record, f"the record of type {record.type} holds no message of that type")

    def _take_entry(self, record: LogRecord) -> None:
        header = parse_entry(record.data, 0, len(record.data))
        while self.places and self.places[-1].index >= header.index:  # a new leader's entries replace
            self.places.pop()
            self.replaced += 1
        data: memoryview | bytes = record.data[header.data_start : header.data_stop]
        if header.data is not None:
            data = header.data
        self.places.append(
            _Place(header.index, header.term, header.type, record.segment, record.offset, data, record.proven)
        )

    def _broken(self, record: LogRecord, problem: str) -> None:
        self.damage.append(Damage(record.segment, record.offset, record.number, problem))


def known_types() -> list[str]:
    """Return what `Selection.types` can hold."""
    fields = (field.name for field in wire.raft_internal_pb2.InternalRaftRequest.DESCRIPTOR.fields)
    return [*_OF_ENTRIES, *(name for name in fields if name not in {_V2_FIELD, _HEADER, _ID})]


def dump_entries(segments: Sequence[Segment]) -> Dump:
    """Read a log from its first byte to its last."""
    dump = Dump(segments)
    for found in iter_all_records(segments):
        if isinstance(found, Damage):
            dump.damage.append(found)
        else:
            dump.take(found)
    return dump


def _decode(entry_type: int, data: bytes) -> tuple[str, V2Request | None, Message | None, str]:
    """Return kind, v2 request, message and problem."""
    if entry_type not in set(EntryType):
        return UNREADABLE, None, None, f"entry of the unknown type {entry_type}"
    try:
        if entry_type == EntryType.CONF_CHANGE:
            return CONF, None, wire.raft_pb2.ConfChange.FromString(data), ""
        if entry_type == EntryType.CONF_CHANGE_V2:
            return CONF, None, wire.raft_pb2.ConfChangeV2.FromString(data), ""
        return *_decode_request(data), ""
    except FormatError as error:
        return UNREADABLE, None, None, error.message
    except wire.DecodeError:
        return UNREADABLE, None, None, "the message in it does not parse"


def _decode_request(data: bytes) -> tuple[str, V2Request | None, Message | None]:
    request = parse_request(data)
    if isinstance(request, V2Request):
        return V2, request, None
    if isinstance(request, V3Request):
        return request.kind, None, wire.raft_internal_pb2.InternalRaftRequest.FromString(data)
    return EMPTY, None, None
