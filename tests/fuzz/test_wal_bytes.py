"""Every byte of a real WAL and of a real .snap, damaged in turn: nothing is lost in silence."""

from __future__ import annotations

import pytest
from support import samples
from support.wal_files import frame_offsets, read_segments, with_bytes

from etcdtool.errors import FormatError
from etcdtool.findings import Severity
from etcdtool.formats import wal
from etcdtool.formats.snap import parse_snap_file


def entries_of(result: wal.Scan) -> list[tuple[int, int, bytes]]:
    return [(entry.index, entry.term, bytes(entry.data)) for entry in result.entries()]


@pytest.mark.parametrize("name", ["v2-only-wal/2.3/data.tar.gz", "v2-only-wal/3.4/data.tar.gz"])
def test_every_byte_of_a_wal(name: str) -> None:
    segment = read_segments(samples.unpack(name) / "member" / "wal")[0]
    end = frame_offsets(segment)[-1]
    allocated = 0 if end == len(segment.data) else 2048
    good = with_bytes(segment, bytes(segment.data[:end]) + bytes(allocated))
    whole = entries_of(wal.scan([good]))
    image = bytearray(good.data)
    padding = padding_of(good)
    unnoticed = set()
    for at in range(0, end, 1 if end < 5000 else 7):
        for mask in (0x01, 0x80, image[at] or 0x55):
            image[at] ^= mask
            if not noticed(with_bytes(good, bytes(image)), whole):
                unnoticed.add(at)
            image[at] ^= mask
    assert unnoticed - padding == set()


def padding_of(segment: wal.Segment) -> set[int]:
    """Give the offsets of all padding, which no checksum covers."""
    offsets = frame_offsets(segment)
    starts = [start + 8 + int.from_bytes(segment.data[start : start + 7], "little") for start in offsets[:-1]]
    return {at for start, stop in zip(starts, offsets[1:], strict=True) for at in range(start, stop)}


def noticed(segment: wal.Segment, whole: list[tuple[int, int, bytes]]) -> bool:
    try:
        result = wal.scan([segment])
    except FormatError:
        return True
    if any(finding.severity is Severity.ERROR for finding in result.findings):
        return True
    assert entries_of(result) == whole
    return False


@pytest.mark.parametrize("name", ["v2-only-wal/2.3/data.tar.gz", "v2-only-wal/3.4/data.tar.gz"])
def test_every_length_of_a_wal(name: str) -> None:
    segment = read_segments(samples.unpack(name) / "member" / "wal")[0]
    offsets = frame_offsets(segment)
    whole = entries_of(wal.scan([segment]))
    for cut in range(1, min(offsets[-1], 4000)):
        part = with_bytes(segment, bytes(segment.data[:cut]))
        try:
            result = wal.scan([part])
        except FormatError:
            assert cut < offsets[2]  # only a file without its metadata is refused
            continue
        assert result.end_offset == max(offset for offset in offsets if offset <= cut)
        assert entries_of(result) == whole[: result.entry_count]
        assert bool(result.torn_bytes) == bool(segment.data[result.end_offset : cut].tobytes().strip(b"\0"))


def test_every_byte_of_a_snap_file() -> None:
    path = min((samples.unpack("v3/3.6/data.tar.gz") / "member" / "snap").glob("*.snap"))
    image = bytearray(path.read_bytes())
    for at in range(0, len(image), 3):
        image[at] ^= 0x10
        with pytest.raises(FormatError):
            parse_snap_file(memoryview(bytes(image)))
        image[at] ^= 0x10
