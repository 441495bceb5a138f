"""Faults for database files, drawn from a seed: by page type and field, with the trailer as it was or made to fit.

``draw(seed, type, field, number)`` always gives the same bytes.  A *sealed* fault has a sha256 trailer that fits the
damaged bytes, so that only their content can give it away.
"""

from __future__ import annotations

import hashlib
import random
import struct
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from support import samples
from support.bbolt_files import META_SIZE, written
from support.damage_places import META_FIELDS, Places, Span

from etcdtool.formats.bbolt import cursor
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.digest import TRAILER_SIZE, fnv1a64
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CATALOGUE", "SAMPLES", "Fault", "draw", "fields", "sample_bytes"]

_SECTOR_SIZE = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One damaged file.

    Attributes:
        sample: which good file it was.
        page_type, field: what was damaged.
        what: how, for a person.
        sealed: whether the trailer was made to fit afterwards.
        data: the damaged file.
    """

    sample: str
    page_type: str
    field: str
    what: str
    sealed: bool
    data: bytes

    @property
    def sha256(self) -> str:
        """Name of the damaged bytes."""
        return hashlib.sha256(self.data).hexdigest()

    def __str__(self) -> str:
        return f"{self.sample}: {self.page_type}, {self.field}: {self.what}{' (sealed)' if self.sealed else ''}"


def _deep() -> bytes:
    """Rewrite a real snapshot with pages of 1 KiB, so that its tree has three levels and most leaves few pairs."""
    image = Image.open(memoryview(samples.unpack("v3/3.7/snapshot.db.gz").read_bytes()))
    buckets = {
        name: [(item.key, bytes(item.value)) for item in cursor.iter_items(image, bucket)]
        for name, bucket in cursor.root_buckets(image).items()
    }
    return bytes(written(buckets, page_size=1024))


def _live_database() -> bytes:
    """Take the database of a stopped server, whose two metas lead to different roots, without its unused end."""
    with open_database(samples.unpack("v3/3.6/data.tar.gz")) as database:
        return bytes(database.data[: database.image.high_water_mark * database.image.page_size])


SAMPLES: dict[str, Callable[[], bytes]] = {
    "3.7": lambda: samples.unpack("v3/3.7/snapshot.db.gz").read_bytes()[:-TRAILER_SIZE],
    "3.2 with a freelist": lambda: samples.unpack("v3/3.2/snapshot.db.gz").read_bytes()[:-TRAILER_SIZE],
    "3.6 small": lambda: samples.unpack("v3-extra/3.6/before-defrag.db.gz").read_bytes()[:-TRAILER_SIZE],
    "three levels": _deep,
    "3.6 data dir": _live_database,
}
"""Good images, without a trailer."""


@cache
def sample_bytes(name: str) -> bytes:
    """Give a good image."""
    return SAMPLES[name]()


@cache
def _places(name: str) -> Places:
    return Places.of(Image.open(memoryview(sample_bytes(name))))


def _spans(sample: str, page_type: str, name: str) -> list[Span]:
    return _places(sample).fields.get((page_type, name), [])


_Hit = tuple[bytearray, str]


def _damage_field(rng: random.Random, sample: str, page_type: str, name: str) -> _Hit:
    data = bytearray(sample_bytes(sample))
    span = rng.choice(_spans(sample, page_type, name))
    return data, _damage_span(rng, data, span)


def _damage_span(rng: random.Random, data: bytearray, span: Span) -> str:
    before = bytes(data[span.start : span.stop])
    size = span.stop - span.start
    kind = rng.random()
    while data[span.start : span.stop] == before:
        if kind < 0.6:
            at, bit = rng.randrange(span.start, span.stop), rng.randrange(8)
            data[at] ^= 1 << bit
            what = f"bit {bit} of the byte at {at:#x} flipped"
        elif kind < 0.8 and span.is_number:
            number = int.from_bytes(before, "little") + rng.choice([-3, -2, -1, 1, 2, 3, 16, 1000])
            data[span.start : span.stop] = (number % (1 << 8 * size)).to_bytes(size, "little")
            what = f"number at {span.start:#x} set to {number}"
        elif kind < 0.9 and any(before):
            data[span.start : span.stop] = bytes(size)
            what = f"{size} bytes at {span.start:#x} zeroed"
        else:
            at = rng.randrange(span.start, span.stop)
            length = min(rng.choice([1, 2, 4, 8]), span.stop - at)
            data[at : at + length] = rng.randbytes(length)
            what = f"{length} bytes at {at:#x} overwritten"
    return what


def _fit_meta(data: bytearray, offset: int) -> None:
    start = offset + 16
    struct.pack_into("<Q", data, start + META_SIZE, fnv1a64(data[start : start + META_SIZE]))


def _chosen_meta(sample: str) -> int:
    image = _places(sample).image
    return image.meta.page_id * image.page_size


def _damage_chosen_meta(rng: random.Random, sample: str, name: str) -> _Hit:
    """Damage the meta in use and make its checksum fit."""
    data = bytearray(sample_bytes(sample))
    offset = _chosen_meta(sample)
    start, size = META_FIELDS[name]
    what = _damage_span(rng, data, Span(offset + start, offset + start + size, is_number=True))
    _fit_meta(data, offset)
    return data, f"{what}, meta checksum fitted"


def _damage_both_metas(rng: random.Random, sample: str, name: str) -> _Hit:
    data = bytearray(sample_bytes(sample))
    start, size = META_FIELDS[name]
    spans = [Span(page * _places(sample).image.page_size + start, 0) for page in (0, 1)]
    what = [_damage_span(rng, data, Span(span.start, span.start + size, is_number=True)) for span in spans]
    return data, ", ".join(what)


def _stale_meta(rng: random.Random, sample: str) -> _Hit:
    """Let the older meta win, as after a lost write: by raising its txid, or by spoiling the newer one."""
    data = bytearray(sample_bytes(sample))
    image = _places(sample).image
    newer = image.meta
    older = image.metas[1 - newer.page_id]
    if rng.random() < 0.5:
        struct.pack_into("<Q", data, older.page_id * image.page_size + 64, newer.txid + rng.randrange(1, 100))
        _fit_meta(data, older.page_id * image.page_size)
        return data, "the older meta got the higher txid"
    offset = newer.page_id * image.page_size
    at = rng.randrange(16, 80)
    data[offset + at : offset + 80] = rng.randbytes(80 - at)
    return data, f"the newer meta overwritten from byte {at}"


def _page_fault(rng: random.Random, sample: str, page_type: str, name: str) -> _Hit:
    data = bytearray(sample_bytes(sample))
    spans = _places(sample).pages[page_type]
    page = rng.choice(spans)
    size = page.stop - page.start
    if name == "page zeroed":
        data[page.start : page.stop] = bytes(size)
        return data, f"page at {page.start:#x} zeroed"
    if name == "page of noise":
        data[page.start : page.stop] = rng.randbytes(size)
        return data, f"page at {page.start:#x} overwritten"
    if name == "range zeroed":
        start = rng.randrange(page.start, page.stop - 1)
        stop = rng.randrange(start + 1, page.stop)
        data[start:stop] = bytes(stop - start)
        return data, f"{start:#x} to {stop:#x} zeroed"
    others = [span for span in spans if span != page and span.stop - span.start == size]
    if not others:
        return _page_fault(rng, sample, page_type, "page zeroed")
    other = rng.choice(others)
    first, second = bytes(data[page.start : page.stop]), bytes(data[other.start : other.stop])
    data[page.start : page.stop] = second
    if name == "pages swapped":
        data[other.start : other.stop] = first
    return data, f"{name}: {page.start:#x} and {other.start:#x}"


def _file_fault(rng: random.Random, sample: str, name: str) -> _Hit:
    data = bytearray(sample_bytes(sample))
    page_size = _places(sample).image.page_size
    if name == "range zeroed":
        start = rng.randrange(len(data))
        stop = min(len(data), start + rng.randrange(512, 65536))
        data[start:stop] = bytes(stop - start)
        return data, f"{start:#x} to {stop:#x} zeroed"
    if name == "cut at a page":
        size = rng.randrange(1, len(data) // page_size) * page_size
    else:
        size = rng.randrange(1, len(data) // _SECTOR_SIZE) * _SECTOR_SIZE
    del data[size:]
    return data, f"cut to {size} bytes"


def _trailer_fault(rng: random.Random, sample: str, name: str) -> _Hit:
    image = sample_bytes(sample)
    data = bytearray(image + hashlib.sha256(image).digest())
    end = len(image)
    match name:
        case "lost":
            del data[end:]
        case "cut":
            del data[end + rng.randrange(1, TRAILER_SIZE) :]
        case "zeroed":
            data[end:] = bytes(TRAILER_SIZE)
        case "bytes appended":
            data += rng.randbytes(rng.choice([1, 7, 32, 512, 4096, rng.randrange(1, 9000)]))
        case "file cut":
            del data[rng.randrange(1, end) :]
        case _:
            return data, _damage_span(rng, data, Span(end, end + TRAILER_SIZE))
    return data, f"{len(data)} bytes of {end + TRAILER_SIZE}"


_PAGE = ("page id", "flags", "count", "overflow")
_WHOLE_PAGE = ("page zeroed", "page of noise", "range zeroed", "pages swapped", "page copied")
_LEAF = (*_PAGE, "element flags", "pos", "ksize", "vsize")
CATALOGUE: dict[str, tuple[str, ...]] = {
    "meta": (*_PAGE, *META_FIELDS),
    "both metas": tuple(name for name in META_FIELDS if name != "meta flags"),
    "meta in use, fitted": tuple(name for name in META_FIELDS if name not in {"checksum", "magic", "version"}),
    "stale meta": ("older in use",),
    "freelist": (*_PAGE, "ids"),
    "branch": (*_PAGE, "pos", "ksize", "child", "key", *_WHOLE_PAGE),
    "root leaf": (*_LEAF, "bucket name", "bucket root", "bucket sequence", "page zeroed", "range zeroed", "unused end"),
    "inline page": (*_LEAF, "key", "value"),
    "key leaf": (*_LEAF, "key", *_WHOLE_PAGE, "unused end"),
    "key record": (
        "tag and size of the key",
        "user key",
        "numbers",
        "tag and size of the value",
        "value",
        "lease",
    ),
    "overflow page": ("any byte",),
    "free page": ("any byte",),
    "file": ("cut at a page", "cut at a sector", "range zeroed"),
    "trailer": ("bytes", "lost", "cut", "zeroed", "bytes appended", "file cut"),
}
"""Page type -> fields."""


def fields() -> Iterator[tuple[str, str]]:
    """Yield every (page type, field)."""
    for page_type, names in CATALOGUE.items():
        for name in names:
            yield page_type, name


def draw(seed: int, page_type: str, name: str, number: int, *, sealed: bool) -> Fault:
    """Make a fault; a trailer's own is never sealed."""
    rng = random.Random(f"{seed}/{page_type}/{name}/{number}")
    sample = rng.choice(_samples_with(page_type, name))
    if page_type == "trailer":
        data, what = _trailer_fault(rng, sample, name)
        return Fault(sample=sample, page_type=page_type, field=name, what=what, sealed=False, data=bytes(data))
    data, what = _hit(rng, sample, page_type, name)
    while data == sample_bytes(sample):  # zeros where zeros were
        data, what = _hit(rng, sample, page_type, name)
    # unsealed: the trailer that the file had before
    digest = hashlib.sha256(data if sealed else sample_bytes(sample)).digest()
    return Fault(sample=sample, page_type=page_type, field=name, what=what, sealed=sealed, data=bytes(data) + digest)


def _hit(rng: random.Random, sample: str, page_type: str, name: str) -> _Hit:
    match page_type:
        case "meta in use, fitted":
            return _damage_chosen_meta(rng, sample, name)
        case "both metas":
            return _damage_both_metas(rng, sample, name)
        case "stale meta":
            return _stale_meta(rng, sample)
        case "file":
            return _file_fault(rng, sample, name)
    if name in _WHOLE_PAGE:
        return _page_fault(rng, sample, page_type, name)
    return _damage_field(rng, sample, page_type, name)


@cache
def _samples_with(page_type: str, name: str) -> list[str]:
    if page_type in {"meta in use, fitted", "both metas", "file", "trailer"}:
        return list(SAMPLES)
    if page_type == "stale meta":
        return ["3.6 data dir", "3.7"]
    if name in _WHOLE_PAGE:
        least = 2 if name in {"pages swapped", "page copied"} else 1
        return [sample for sample in SAMPLES if len(_places(sample).pages[page_type]) >= least]
    return [sample for sample in SAMPLES if _spans(sample, page_type, name)]
