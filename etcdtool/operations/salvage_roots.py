"""Where the buckets of a damaged file are: by the meta in use, by the other one, and by scanning for root pages.

Every commit writes the root page anew, so that older ones lie about in free pages; of those, a higher consistent index
in their bucket ``meta`` tells the newer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from google.protobuf.message import DecodeError

from etcdtool.errors import FormatError
from etcdtool.formats.bbolt.cursor import BUCKET_HEADER
from etcdtool.formats.bbolt.loose_pages import Pages, scan_leaves
from etcdtool.formats.bbolt.meta import parse_meta
from etcdtool.formats.bbolt.page import HEADER
from etcdtool.formats.bbolt.salvage import Gap, Remains, walk, walk_inline
from etcdtool.formats.wire import auth_pb2
from etcdtool.model import schema
from etcdtool.model.revision import Revision
from etcdtool.operations.salvage_keys import is_lease, is_revision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from etcdtool.formats.bbolt.lenient import Pair

__all__ = ["Place", "Root", "form_of", "iter_roots", "walk_bucket"]

_INLINE_SIZE_MIN = BUCKET_HEADER.size + HEADER.size


class _Member(msgspec.Struct):
    id: int


class Place(NamedTuple):
    """Where a bucket is: its root page, or where the page inside its header lies."""

    root: int
    start: int
    stop: int
    page_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A root page and what can be read of it.

    Attributes:
        origin: how it was found, for a person.
        places: bucket name -> where it is.
        gaps: names that cannot be told.
        mended: names that were put right.
        taken: its pages.
        is_first: whether it is that of the meta in use.
    """

    origin: str
    places: Mapping[bytes, Place]
    gaps: list[Gap]
    mended: list[str] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)
    is_first: bool = False


def iter_roots(pages: Pages) -> Iterator[Root]:
    """Yield every root that holds a bucket of etcd's, the likeliest first."""
    metas = [parse_meta(pages.data, page * pages.page_size, page) for page in (0, 1)]
    metas.sort(key=lambda meta: (meta.problem is not None, -meta.txid, meta.page_id))
    seen: set[int] = set()
    for number, meta in enumerate(metas):
        if meta.root not in seen and 2 <= meta.root < pages.limit:
            seen.add(meta.root)
            state = f" ({meta.problem})" if meta.problem else ""
            root = _read_root(pages, meta.root, f"meta page {meta.page_id}{state}", is_first=number == 0)
            if root is not None:
                yield root
    scanned = [
        root
        for page_id, _ in scan_leaves(pages, seen, _is_bucket)
        if (root := _read_root(pages, page_id, f"page {page_id}, found by scanning")) is not None
    ]
    yield from sorted(scanned, key=lambda root: _consistent_index(pages, root), reverse=True)


def walk_bucket(pages: Pages, place: Place, plausible: Callable[[bytes, memoryview], bool]) -> Remains:
    """Take what is left of a bucket."""
    if place.root:
        return walk(pages, place.root, plausible)
    if place.stop - place.start < HEADER.size:
        return Remains(gaps=[Gap(b"", None, place.page_id, "neither a root page nor a page of its own is known")])
    return walk_inline(pages.data, place.start, place.stop, place.page_id, plausible)


def form_of(name: bytes) -> Callable[[bytes, memoryview], bool]:
    """Return what tells a pair of a bucket from other bytes."""
    return _FORMS.get(name, _is_pair)


def _read_root(pages: Pages, page_id: int, origin: str, *, is_first: bool = False) -> Root | None:
    remains = walk(pages, page_id, _is_bucket)
    places = {pair.key: _place(pages, page_id, pair) for pair in remains.pairs(pages.data, _is_bucket)}
    mended = _mend_names(places)
    if not places.keys() & set(schema.BUCKETS):
        return None
    return Root(origin=origin, places=places, gaps=remains.gaps, mended=mended, taken=remains.taken, is_first=is_first)


def _mend_names(places: dict[bytes, Place]) -> list[str]:
    """Give a bucket of an unknown name that of the one missing bucket whose name is as long."""
    mended = []
    for name in [name for name in places if name not in schema.BUCKETS]:
        near = [good for good in schema.BUCKETS if good not in places and len(good) == len(name)]
        if len(near) == 1:
            places[near[0]] = places.pop(name)
            mended.append(f"bucket {name!r} taken for {near[0].decode()}")
    return mended


def _place(pages: Pages, page_id: int, pair: Pair) -> Place:
    root, _ = BUCKET_HEADER.unpack_from(pages.data, pair.start)
    if pair.stop - pair.start > BUCKET_HEADER.size:  # with a page in it; bbolt never has both
        root = 0
    return Place(int(root), pair.start + BUCKET_HEADER.size, pair.stop, page_id)


def _is_bucket(key: bytes, value: memoryview) -> bool:
    if not key or len(value) < BUCKET_HEADER.size:
        return False
    root, _ = BUCKET_HEADER.unpack_from(value)
    return len(value) == BUCKET_HEADER.size if root else len(value) >= _INLINE_SIZE_MIN or key in schema.BUCKETS


def _consistent_index(pages: Pages, root: Root) -> int:
    place = root.places.get(schema.META)
    if place is None or place.root:
        return 0
    for pair in walk_bucket(pages, place, _is_meta).pairs(pages.data, _is_meta):
        if pair.key == schema.CONSISTENT_INDEX:
            return int.from_bytes(pages.data[pair.start : pair.stop], "big")
    return 0


def _is_pair(key: bytes, value: memoryview) -> bool:  # noqa: ARG001  any value will do
    return bool(key)


def _is_meta(key: bytes, value: memoryview) -> bool:
    encoding = next((known.encoding for known in schema.META_KEYS if known.name == key), None)
    if encoding == "uint64":
        return len(value) == 8
    if encoding == "revision":
        try:
            Revision.parse(value)
        except FormatError:
            return False
    return bool(key)


def _is_member(key: bytes, value: memoryview) -> bool:
    try:
        return msgspec.json.decode(value, type=_Member).id == int(key, 16)
    except (msgspec.DecodeError, ValueError):
        return False


def _names_itself(kind: type[auth_pb2.User | auth_pb2.Role]) -> Callable[[bytes, memoryview], bool]:
    def form(key: bytes, value: memoryview) -> bool:
        try:
            return kind.FromString(bytes(value)).name == key
        except DecodeError:
            return False

    return form


_FORMS: Mapping[bytes, Callable[[bytes, memoryview], bool]] = {
    schema.KEY: is_revision,
    schema.LEASE: is_lease,
    schema.META: _is_meta,
    schema.MEMBERS: _is_member,
    schema.AUTH_USERS: _names_itself(auth_pb2.User),
    schema.AUTH_ROLES: _names_itself(auth_pb2.Role),
}
