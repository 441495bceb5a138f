"""``.snap`` files: raft's snapshot of the v2 store, with a checksum around it.

``TTTTTTTTTTTTTTTT-IIIIIIIIIIIIIIII.snap`` (term, index) holds ``snappb.Snapshot {1 crc, 2 data}``; data is
``raftpb.Snapshot {1 data, 2 metadata {1 conf_state, 2 index, 3 term}}`` and crc its CRC-32C.  The inner data are the v2
store as JSON, which `etcdtool.model` knows.

Upstream: ``server/etcdserver/api/snap/snapshotter.go`` @ v3.7.1, ``raftpb/raft.proto`` @ raft v3.7.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from etcdtool.errors import ChecksumError, FormatError
from etcdtool.formats import wire
from etcdtool.formats.digest import crc32c
from etcdtool.formats.raft import ConfState
from etcdtool.formats.wire.fields import expect_bytes, read_varint

__all__ = ["SnapFile", "pack_snap_file", "parse_snap_file", "parse_snap_name", "snap_name"]

_NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})\.snap")
_TAG_CRC = 0x08
_TAG_ENVELOPE_DATA = 0x12
_TAGS = bytes([_TAG_CRC, _TAG_ENVELOPE_DATA])
_TAG_STORE = 0x0A
_TAG_METADATA = 0x12
_U32_MAX = (1 << 32) - 1
_HINT_OLDER = "Use an older .snap file of this member with the WAL behind it, or another member's data."


@dataclass(frozen=True, slots=True)
class SnapFile:
    """A ``.snap`` file that passed its checksum.

    Attributes:
        index, term: of the last log entry the snapshot includes.
        conf_state: raft's members at that entry.
        data: the v2 store as JSON; a view into the file's bytes where they have the usual layout.
        is_usual: whether the bytes around what the checksum covers are as every server writes them.
    """

    index: int
    term: int
    conf_state: ConfState
    data: memoryview
    is_usual: bool = True


def parse_snap_name(name: str) -> tuple[int, int]:
    """Return (term, index) of a file's name; `FormatError` if it is no ``.snap`` name."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise FormatError("snap file name", f"{name!r} is not <term>-<index>.snap in 16 hexadecimal digits each")
    return int(match[1], 16), int(match[2], 16)


def snap_name(term: int, index: int) -> str:
    """Return the name upstream gives the file."""
    return f"{term:016x}-{index:016x}.snap"


def parse_snap_file(data: memoryview) -> SnapFile:
    """Check and parse a whole ``.snap`` file.

    Raises:
        FormatError: empty, or not the messages it should be.
        ChecksumError: the stored CRC-32C and that of the data differ.
    """
    if len(data) == 0:
        raise FormatError("snap file", "is empty (0 bytes)", offset=0, hint=_HINT_OLDER)
    stored, inner, offset = _parse_envelope(data)
    if len(inner) == 0 or stored == 0:
        problem = "holds no snapshot data" if len(inner) == 0 else "holds no checksum (crc is 0)"
        raise FormatError("snap file", problem, offset=0, hint=_HINT_OLDER)
    computed = crc32c(inner, 0)
    if computed != stored:
        raise ChecksumError("snap file", stored=stored, computed=computed, offset=offset, hint=_HINT_OLDER)
    usual_offset = len(_TAGS) + _varint_size(stored) + _varint_size(len(inner))
    is_usual = offset == usual_offset and offset + len(inner) == len(data)
    return replace(_parse_raft_snapshot(inner, offset), is_usual=is_usual)


def pack_snap_file(data: bytes, *, index: int, term: int, conf_state: ConfState, omit_unset: bool = False) -> bytes:
    """Return the bytes of a ``.snap`` file as servers write it, or with ``omit_unset`` as ``etcdutl`` 3.7."""
    metadata = wire.raft_pb2.SnapshotMetadata(
        conf_state=conf_state.to_message(omit_unset=omit_unset), index=index, term=term
    )
    inner = wire.raft_pb2.Snapshot(data=data, metadata=metadata).SerializeToString()
    return wire.snap_pb2.Snapshot(crc=crc32c(inner, 0), data=inner).SerializeToString()


def _parse_envelope(data: memoryview) -> tuple[int, memoryview, int]:
    """Return (stored crc, snapshot bytes, their offset)."""
    crc = read_varint(data, 1, len(data)) if data[0] == _TAG_CRC else None
    if crc is not None and crc[0] <= _U32_MAX:
        span = expect_bytes(data, crc[1], len(data), _TAG_ENVELOPE_DATA)
        if span is not None and span[1] == len(data):
            return crc[0], data[span[0] : span[1]], span[0]
    try:
        message = wire.snap_pb2.Snapshot.FromString(data.tobytes())
    except wire.DecodeError as error:
        raise FormatError("snap file", "is no snappb.Snapshot message", offset=0, hint=_HINT_OLDER) from error
    return message.crc, memoryview(message.data), 0


def _parse_raft_snapshot(inner: memoryview, offset: int) -> SnapFile:
    """Parse raftpb.Snapshot; ``offset`` is that of ``inner`` in the file."""
    store = expect_bytes(inner, 0, len(inner), _TAG_STORE)
    span = expect_bytes(inner, store[1], len(inner), _TAG_METADATA) if store else None
    try:
        if store is not None and span is not None and span[1] == len(inner):
            data = inner[store[0] : store[1]]
            metadata = wire.raft_pb2.SnapshotMetadata.FromString(inner[span[0] : span[1]].tobytes())
        else:
            message = wire.raft_pb2.Snapshot.FromString(inner.tobytes())
            data, metadata = memoryview(message.data), message.metadata
    except wire.DecodeError as error:
        raise FormatError("snap file", "is no raftpb.Snapshot message", offset=offset, hint=_HINT_OLDER) from error
    return SnapFile(metadata.index, metadata.term, ConfState.from_message(metadata.conf_state), data)


def _varint_size(number: int) -> int:
    return max(1, -(-number.bit_length() // 7))
