"""WAL folders as segments, and logs made by our own writer."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from etcdtool.formats import wal
from etcdtool.formats.raft import HardState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

METADATA = wal.pack_metadata(0xA1, 0xC1)


def read_segments(folder: Path) -> list[wal.Segment]:
    """Map every .wal file of a folder."""
    return [wal.Segment.named(path.name, _mapped(path)) for path in sorted(folder.glob("*.wal"))]


def as_segments(files: Iterable[tuple[str, bytes]]) -> list[wal.Segment]:
    """Take files as a writer gives them."""
    return [wal.Segment.named(name, memoryview(data)) for name, data in files]


def small_log(
    count: int = 10, *, cut_after: int = 0, padded: bool = True, allocated_size: int = 0
) -> list[wal.Segment]:
    """Make a log of ``count`` entries in term 2, each followed by the state that commits it."""
    writer = wal.WalWriter(METADATA, padded=padded)
    for index in range(1, count + 1):
        writer.save_entry(index, 2, b"entry %d " % index * 5)
        writer.save_state(HardState(2, 0xA1, index))
        if cut_after and index % cut_after == 0 and index < count:
            writer.cut()
    return as_segments(writer.files(allocated_size=allocated_size))


def with_bytes(segment: wal.Segment, data: bytes) -> wal.Segment:
    """Give the same segment with other bytes."""
    return wal.Segment(segment.name, segment.sequence, segment.first_index, memoryview(data))


def frame_offsets(segment: wal.Segment) -> list[int]:
    """Give where each frame of an undamaged segment begins, the end included."""
    data, offset, offsets = segment.data, 0, [0]
    while offset + 8 <= len(data) and (length := int.from_bytes(data[offset : offset + 8], "little")):
        padding = length >> 56 & 7 if length >> 63 else 0
        offset += 8 + (length & (1 << 56) - 1) + padding
        offsets.append(offset)
    return offsets


def _mapped(path: Path) -> memoryview:
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return memoryview(b"")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
