"""Faults for WAL and ``.snap`` files of real data dirs, drawn from a seed by field; checksums stay as they were."""

from __future__ import annotations

import hashlib
import os
import random
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from support import samples
from support.damage_places import Span
from support.faults import copy_dir
from support.wal_files import frame_offsets, read_segments

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LOG_FIELDS", "LOG_SAMPLES", "WITHOUT_A_SIGN", "LogFault", "draw_log"]

LOG_SAMPLES = {
    "3.7": ("v3/3.7/data.tar.gz", "3.7"),
    "3.5": ("v3/3.5/data.tar.gz", "3.5"),
    "3.4 with v2": ("damaged/dirs/good.tar.gz", "3.4"),
}
"""Name -> sample, version of the server that wrote it."""

_ZEROS_KEPT = 8192
_ANYWHERE = ("range zeroed", "bytes overwritten")
LOG_FIELDS = (
    *(
        ("WAL", name)
        for name in (
            "length",
            "size of the padding",
            "type",
            "checksum",
            "size of the data",
            "data",
            "padding",
            "zeros behind the end",
            "records swapped",
            *_ANYWHERE,
            "file cut",
        )
    ),
    *((".snap", name) for name in ("checksum", "size of the data", "data", *_ANYWHERE, "bytes appended", "file cut")),
)
WITHOUT_A_SIGN = {
    ("WAL", "file cut"): "a log that ends where a record ends is a whole log, unless .snap or database know more",
}
"""What may be damaged without being found, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFault:
    """One damaged file of a data dir.

    Attributes:
        sample: a name of `LOG_SAMPLES`.
        kind, field: what was damaged.
        what: how, for a person.
        path: the damaged file, below the data dir.
        data: its bytes, without the zeros at its end.
        size: its size in bytes.
    """

    sample: str
    kind: str
    field: str
    what: str
    path: str
    data: bytes
    size: int

    @property
    def version(self) -> str:
        """Of the server that wrote the data dir."""
        return LOG_SAMPLES[self.sample][1]

    @property
    def sha256(self) -> str:
        """Name of the damaged data dir."""
        words = f"{LOG_SAMPLES[self.sample][0]} {self.path} {self.size} "
        return hashlib.sha256(words.encode() + self.data).hexdigest()

    def write(self, folder: Path) -> Path:
        """Make the damaged data dir."""
        root = copy_dir(samples.unpack(LOG_SAMPLES[self.sample][0]), folder / "damaged.etcd")
        (root / self.path).write_bytes(self.data)
        os.truncate(root / self.path, self.size)
        return root

    def __str__(self) -> str:
        return f"{self.sample}: {self.path}, {self.field}: {self.what}"


def draw_log(seed: int, kind: str, name: str, number: int) -> LogFault:
    """Make a fault; the same words give the same one."""
    rng = random.Random(f"{seed}/{kind}/{name}/{number}")
    sample = rng.choice(list(LOG_SAMPLES))
    file = rng.choice(_logs(sample) if kind == "WAL" else _snaps(sample))
    what, data = "", file.data
    while data == file.data:  # zeros where zeros were
        what, data = _hit(rng, file, name)
    size = len(data) if name in {"file cut", "bytes appended"} else file.size
    return LogFault(sample=sample, kind=kind, field=name, what=what, path=file.path, data=data, size=size)


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    data: bytes
    size: int
    spans: dict[str, list[Span]]
    end: int


def _hit(rng: random.Random, file: _File, name: str) -> tuple[str, bytes]:
    data = bytearray(file.data)
    match name:
        case "file cut":
            at = rng.randrange(1, file.end)
            return f"cut to {at} bytes", bytes(data[:at])
        case "bytes appended":
            count = rng.choice([1, 7, 32, 512])
            return f"{count} bytes appended", bytes(data) + rng.randbytes(count)
        case "range zeroed":
            start = rng.randrange(file.end)
            stop = min(file.end, start + rng.choice([1, 8, 64, 512, 4096]))
            data[start:stop] = bytes(stop - start)
            return f"{start:#x} to {stop:#x} zeroed", bytes(data)
        case "bytes overwritten":
            start = rng.randrange(file.end)
            stop = min(file.end, start + rng.choice([1, 8, 64, 512]))
            data[start:stop] = rng.randbytes(stop - start)
            return f"{start:#x} to {stop:#x} overwritten", bytes(data)
        case "records swapped":
            first, second = sorted(rng.sample(file.spans["record"], 2), key=lambda span: span.start)
            parts = [data[: first.start], data[second.start : second.stop], data[first.stop : second.start]]
            swapped = b"".join([*parts, data[first.start : first.stop], data[second.stop :]])
            return f"records at {first.start:#x} and {second.start:#x} swapped", swapped
    span = rng.choice(file.spans[name])
    at, bit = rng.randrange(span.start, span.stop), rng.randrange(8)
    data[at] ^= 1 << bit
    return f"bit {bit} of the byte at {at:#x} flipped", bytes(data)


@cache
def _logs(sample: str) -> list[_File]:
    root = samples.unpack(LOG_SAMPLES[sample][0])
    files = []
    for segment in read_segments(root / "member/wal"):
        offsets = frame_offsets(segment)
        data = bytes(segment.data[: offsets[-1] + _ZEROS_KEPT])
        spans = _wal_spans(data, offsets)
        files.append(_File(f"member/wal/{segment.name}", data, len(segment.data), spans, offsets[-1]))
    return files


@cache
def _snaps(sample: str) -> list[_File]:
    root = samples.unpack(LOG_SAMPLES[sample][0])
    files = []
    for path in sorted((root / "member/snap").glob("*.snap")):
        data = path.read_bytes()
        crc_end = _varint_end(data, 1)
        data_start = _varint_end(data, crc_end + 1)
        spans = {
            "checksum": [Span(0, crc_end)],
            "size of the data": [Span(crc_end, data_start)],
            "data": [Span(data_start, len(data))],
        }
        files.append(_File(str(path.relative_to(root)), data, len(data), spans, len(data)))
    return files


def _wal_spans(data: bytes, offsets: list[int]) -> dict[str, list[Span]]:
    spans: dict[str, list[Span]] = {name: [] for kind, name in LOG_FIELDS if kind == "WAL"} | {"record": []}
    for start, stop in pairwise(offsets):
        spans["record"].append(Span(start, stop))
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


def _varint_end(data: bytes, at: int) -> int:
    while data[at] & 0x80:
        at += 1
    return at + 1
