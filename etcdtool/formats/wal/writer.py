"""Write WAL files: what a restore needs, and what tests damage.

Upstream: ``Create``, ``Save``, ``SaveSnapshot`` and ``cut`` in ``server/storage/wal/wal.go`` @ v3.7.1.
"""

from __future__ import annotations

from etcdtool.formats import wire
from etcdtool.formats.digest import crc32c
from etcdtool.formats.raft import ConfState, EntryType, HardState
from etcdtool.formats.wal.records import RecordType, pack_frame
from etcdtool.formats.wal.segments import segment_name
from etcdtool.formats.wal_size import SEGMENT_SIZE

__all__ = ["SEGMENT_SIZE", "WalWriter", "pack_metadata", "pack_snapshot_frame"]


def pack_metadata(node_id: int, cluster_id: int) -> bytes:
    """Return the data of a metadata record."""
    return wire.etcdserver_pb2.Metadata(NodeID=node_id, ClusterID=cluster_id).SerializeToString()


def pack_snapshot_frame(index: int, term: int, conf_state: ConfState, crc: int) -> bytes:
    """Return the framed note of a snapshot, as servers from 3.5 to 3.6 write it; 3.4 and 3.7 read it too.

    Args:
        index: of the last entry that the snapshot includes.
        term: of that entry.
        conf_state: raft's members at that entry.
        crc: running checksum of the records before it.
    """
    data = _pack_snapshot(index, term, conf_state, omit_unset=False)
    return pack_frame(RecordType.SNAPSHOT, data, crc32c(data, crc))


def _pack_snapshot(index: int, term: int, conf_state: ConfState | None, *, omit_unset: bool) -> bytes:
    message = wire.wal_pb2.Snapshot(index=index, term=term)
    if conf_state is not None:
        message.conf_state.CopyFrom(conf_state.to_message(omit_unset=omit_unset))
    return message.SerializeToString()


class WalWriter:
    """Builds the files of a WAL in memory, each with its head of checksum, metadata and state.

    Args:
        metadata: as `pack_metadata` returns it.
        padded: pad records to 8 bytes as 3.x does; 2.x did not.
        omit_unset: leave zero fields out as 3.7 does; servers up to 3.6 write them.
    """

    def __init__(self, metadata: bytes, *, padded: bool = True, omit_unset: bool = False) -> None:
        self._metadata = metadata
        self._padded = padded
        self._omit_unset = omit_unset
        self._crc = 0
        self._state = HardState()
        self._last_index = 0
        self._files: list[tuple[str, bytearray]] = []
        self._start_file(first_index=0)
        self.save_snapshot(0, 0)

    @property
    def size(self) -> int:
        """Bytes in the file being written, without what is allocated in advance."""
        return len(self._files[-1][1])

    def save_entry(self, index: int, term: int, data: bytes | None = None, entry_type: int = EntryType.NORMAL) -> None:
        """Append an entry; None as data is what a leader's no-op has."""
        entry = wire.raft_pb2.Entry(Term=term, Index=index, Data=data)
        if entry_type or not self._omit_unset:
            entry.Type = entry_type
        self.save_record(RecordType.ENTRY, entry.SerializeToString())
        self._last_index = index

    def save_state(self, state: HardState) -> None:
        """Append a hard state; an empty one is not written."""
        if state == HardState():
            return
        self._state = state
        message = wire.raft_pb2.HardState(term=state.term, vote=state.vote, commit=state.commit)
        self.save_record(RecordType.STATE, message.SerializeToString())

    def save_snapshot(self, index: int, term: int, conf_state: ConfState | None = None) -> None:
        """Append the note of a snapshot; since 3.5 all but the initial one carry raft's members."""
        self.save_record(RecordType.SNAPSHOT, _pack_snapshot(index, term, conf_state, omit_unset=self._omit_unset))

    def save_record(self, record_type: int, data: bytes | None) -> None:
        """Append any record."""
        if data is not None:
            self._crc = crc32c(data, self._crc)
        self._files[-1][1].extend(pack_frame(record_type, data, self._crc, padded=self._padded))

    def cut(self) -> None:
        """Go on in a new file."""
        self._start_file(first_index=self._last_index + 1)
        self.save_state(self._state)

    def files(self, *, allocated_size: int = 0) -> list[tuple[str, bytes]]:
        """Return (name, bytes) of every file, the last one filled up with zeros to ``allocated_size``."""
        name, last = self._files[-1]
        rest = [(before, bytes(data)) for before, data in self._files[:-1]]
        return [*rest, (name, bytes(last) + bytes(max(0, allocated_size - len(last))))]

    def _start_file(self, *, first_index: int) -> None:
        self._files.append((segment_name(len(self._files), first_index), bytearray()))
        self.save_record(RecordType.CRC, None)
        self.save_record(RecordType.METADATA, self._metadata)
