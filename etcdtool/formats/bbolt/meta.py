"""Meta pages of a bbolt file, and what they say of it: its page size, and where its root is.

Spec: ``docs/formats/bbolt.md``; upstream: ``internal/common/meta.go``, ``db.go`` @ bbolt v1.5.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from etcdtool.errors import ChecksumError, FormatError
from etcdtool.formats.digest import fnv1a64

__all__ = [
    "MAGIC",
    "META",
    "NO_FREELIST",
    "PAGE_SIZE_MAX",
    "PAGE_SIZE_MIN",
    "VERSION",
    "Meta",
    "choose_meta",
    "cut_short",
    "detect_page_size",
    "parse_meta",
]

META = Struct("<IIIIQQQQQQ")
"""After a meta page's header: magic, version, page size, flags, root, sequence, freelist, pgid, txid, checksum."""
assert META.size == 64

MAGIC = 0xED0CDAED
VERSION = 2
NO_FREELIST = (1 << 64) - 1
"""In a meta: the freelist is not persisted (what etcd writes on Linux)."""
PAGE_SIZE_MIN = 1 << 10
PAGE_SIZE_MAX = 1 << 24

_MAGIC_OF_THE_OTHER_BYTE_ORDER = 0xEDDA0CED
_SECOND_META_OFFSETS = tuple(PAGE_SIZE_MIN << shift for shift in range(15))
_FIRST_READ_SIZE = 4096
_HEADER_SIZE = 16
_CHECKSUM_OFFSET = META.size - 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """A meta page as it stands, good or not.

    Attributes:
        page_id: 0 or 1, by place.
        problem: why it cannot be used, in upstream's words, or None.
        page_size: in bytes.
        root: page id of the root bucket's root page.
        sequence: of the root bucket, 0 in practice.
        freelist: page id of the freelist, or `NO_FREELIST`.
        high_water_mark: the first page id that was never allocated ("pgid").
        txid: of the transaction that wrote it.
        checksum: FNV-1a 64 as stored.
        computed: the same as computed.
    """

    page_id: int
    problem: str | None
    page_size: int
    root: int
    sequence: int
    freelist: int
    high_water_mark: int
    txid: int
    checksum: int
    computed: int


def detect_page_size(data: memoryview) -> int:
    """Return the page size by upstream's rule: from the first meta page, else from the first good one behind it.

    Raises:
        FormatError: there is no good meta page, or its page size is none.
    """
    candidates = [0] if len(data) >= _FIRST_READ_SIZE else []
    candidates += [offset for offset in _SECOND_META_OFFSETS if offset < len(data) - 1024]
    for offset in candidates:
        meta = parse_meta(data, offset, 0)
        if meta.problem is None:
            return _checked_page_size(meta.page_size, offset)
    raise _no_meta(data, candidates)


def _checked_page_size(page_size: int, offset: int) -> int:
    if not PAGE_SIZE_MIN <= page_size <= PAGE_SIZE_MAX or page_size & (page_size - 1):
        problem = f"page size {page_size} is no power of two from {PAGE_SIZE_MIN} to {PAGE_SIZE_MAX}"
        raise FormatError("bbolt meta page", problem, offset=offset)
    return page_size


def _no_meta(data: memoryview, candidates: list[int]) -> FormatError:
    for offset in candidates:
        meta = parse_meta(data, offset, 0)
        if meta.problem == "big-endian":
            return FormatError(
                "bbolt file",
                "big-endian: written on a host of the other byte order",
                offset=offset,
                hint="Take a snapshot through a server, or read it on a big-endian host with etcd's own tools",
            )
        if meta.problem == "checksum error":
            return ChecksumError(
                "bbolt meta page",
                stored=f"{meta.checksum:016x}",
                computed=f"{meta.computed:016x}",
                offset=offset,
                hint="Neither meta page is usable; take another copy of the file",
            )
    problem = (parse_meta(data, candidates[0], 0).problem if candidates else None) or "invalid database"
    return FormatError("bbolt file", problem, offset=0, hint="No meta page was found: this is no bbolt file")


def cut_short(data: memoryview, meta: Meta, second: Meta) -> FormatError:
    """Return the error for a file that is shorter than its meta says."""
    size = meta.high_water_mark * meta.page_size
    problem = (
        f"cut short by {size - len(data)} bytes: {meta.high_water_mark} pages of {meta.page_size} bytes need {size}"
    )
    hint = "Copy the file again; what is left can be read with salvage"
    if second.problem is not None:
        hint = "The second meta page is not where this page size puts it, so the page size may be what is damaged"
    return FormatError("bbolt file", problem, offset=len(data), hint=hint)


def choose_meta(first: Meta, second: Meta) -> Meta:
    """Return the good meta with the higher txid; the first where both have the same.

    Raises:
        FormatError: neither is good.
    """
    newer, older = (second, first) if second.txid > first.txid else (first, second)
    if newer.problem is None:
        return newer
    if older.problem is None:
        return older
    raise FormatError("bbolt meta page", first.problem or "", offset=0, hint="Neither meta page is usable")


def parse_meta(data: memoryview, offset: int, page_id: int) -> Meta:
    """Return the meta of the page that starts at ``offset``, good or not; bytes past the end read as zero."""
    raw = bytes(data[offset + _HEADER_SIZE : offset + _HEADER_SIZE + META.size]).ljust(META.size, b"\0")
    magic, version, page_size, _flags, root, sequence, freelist, high_water_mark, txid, checksum = META.unpack(raw)
    computed = fnv1a64(raw[:_CHECKSUM_OFFSET])
    return Meta(
        page_id=page_id,
        problem=_meta_problem(magic, version, good=checksum == computed),
        page_size=page_size,
        root=root,
        sequence=sequence,
        freelist=freelist,
        high_water_mark=high_water_mark,
        txid=txid,
        checksum=checksum,
        computed=computed,
    )


def _meta_problem(magic: int, version: int, *, good: bool) -> str | None:
    if magic == _MAGIC_OF_THE_OTHER_BYTE_ORDER:
        return "big-endian"
    if magic != MAGIC:
        return "invalid database"
    if version != VERSION:
        return "version mismatch"
    return None if good else "checksum error"
