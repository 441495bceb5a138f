"""Faults for WAL and ``.snap`` files, drawn from a seed by field; their checksums stay as they were."""

from __future__ import annotations

import random
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from support import samples
from support.damage_places import Span
from support.wal_files import frame_offsets, read_segments, with_bytes

from etcdtool.errors import FormatError
from etcdtool.findings import Severity
from etcdtool.formats import wal
from etcdtool.formats.snap import parse_snap_file

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LOG_FIELDS", "WITHOUT_A_SIGN", "is_found"]

_WAL_SAMPLE = "v3/3.7/data.tar.gz"
_SNAP_SAMPLE = "v2-rich/3.4/data-clean.tar.gz"
_ZEROS_KEPT = 8192

LOG_FIELDS = (
    ("WAL", "length"),
    ("WAL", "size of the padding"),
    ("WAL", "type"),
    ("WAL", "checksum"),
    ("WAL", "size of the data"),
    ("WAL", "data"),
    ("WAL", "padding"),
    ("WAL", "zeros behind the end"),
    ("WAL", "file cut"),
    (".snap", "checksum"),
    (".snap", "size of the data"),
    (".snap", "data"),
    (".snap", "file cut"),
)
WITHOUT_A_SIGN = {
    ("WAL", "checksum"): "bits above the 32 of a checksum mean nothing",
    ("WAL", "padding"): "nobody reads it",
    ("WAL", "file cut"): "a log that ends where a record ends is a whole log",
    (".snap", "checksum"): "bits above the 32 of a checksum mean nothing",
}
"""What may be damaged without being found, and why."""


def is_found(seed: int, kind: str, name: str, number: int) -> bool:
    """Draw a fault and tell whether an error or a finding above a note, with a place, comes of it."""
    rng = random.Random(f"{seed}/{kind}/{name}/{number}")
    if name == "file cut":
        whole = bytes(_segment().data) if kind == "WAL" else _snap()
        return _READERS[kind](whole[: rng.randrange(1, (_log_end() if kind == "WAL" else len(whole)))])
    data = bytearray(_segment().data if kind == "WAL" else _snap())
    span = rng.choice((_wal_spans() if kind == "WAL" else _snap_spans())[name])
    data[rng.randrange(span.start, span.stop)] ^= 1 << rng.randrange(8)
    return _READERS[kind](bytes(data))


def _reads_wal(data: bytes) -> bool:
    try:
        found = wal.scan([with_bytes(_segment(), data)]).findings
    except FormatError as error:
        return bool(error.where)
    return any(finding.severity is not Severity.NOTE for finding in found)


def _reads_snap(data: bytes) -> bool:
    try:
        parse_snap_file(memoryview(data))
    except FormatError as error:
        return error.offset is not None
    return False


_READERS: dict[str, Callable[[bytes], bool]] = {"WAL": _reads_wal, ".snap": _reads_snap}


@cache
def _segment() -> wal.Segment:
    """Give a real log without most of its preallocated end."""
    segment = read_segments(samples.unpack(_WAL_SAMPLE) / "member/wal")[-1]
    end = frame_offsets(segment)[-1]
    return with_bytes(segment, bytes(segment.data[: end + _ZEROS_KEPT]))


@cache
def _log_end() -> int:
    return frame_offsets(_segment())[-1]


@cache
def _snap() -> bytes:
    return max((samples.unpack(_SNAP_SAMPLE) / "member/snap").glob("*.snap")).read_bytes()


@cache
def _wal_spans() -> dict[str, list[Span]]:
    spans: dict[str, list[Span]] = {name: [] for kind, name in LOG_FIELDS if kind == "WAL"}
    data, offsets = _segment().data, frame_offsets(_segment())
    for start, stop in pairwise(offsets):
        spans["length"].append(Span(start, start + 7))
        spans["size of the padding"].append(Span(start + 7, start + 8))
        length = int.from_bytes(data[start : start + 7], "little")
        record_end = start + 8 + length
        crc_end = _varint_end(data, start + 11)  # 08 type 10 crc 1a size data
        spans["type"].append(Span(start + 8, start + 10))
        spans["checksum"].append(Span(start + 11, crc_end))
        if crc_end < record_end:
            data_start = _varint_end(data, crc_end + 1)
            spans["size of the data"].append(Span(crc_end, data_start))
            if data_start < record_end:
                spans["data"].append(Span(data_start, record_end))
        if record_end < stop:
            spans["padding"].append(Span(record_end, stop))
    spans["zeros behind the end"].append(Span(offsets[-1], offsets[-1] + 512))
    return spans


@cache
def _snap_spans() -> dict[str, list[Span]]:
    data = memoryview(_snap())
    crc_end = _varint_end(data, 1)
    data_start = _varint_end(data, crc_end + 1)
    return {
        "checksum": [Span(0, crc_end)],
        "size of the data": [Span(crc_end, data_start)],
        "data": [Span(data_start, len(data))],
    }


def _varint_end(data: memoryview, at: int) -> int:
    while data[at] & 0x80:
        at += 1
    return at + 1
