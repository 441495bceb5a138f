"""Check a bbolt file: everything ``bbolt check`` reports, and what it leaves out.

Beyond upstream's ``tx_check.go`` @ v1.5.0: inline buckets, page ids, both meta pages, overflow and element bounds, and
a page at exactly the high-water mark.  Where upstream panics on a fault, here it is a finding like the others.
"""

from __future__ import annotations

from collections import Counter, deque
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.findings import Finding, Severity
from etcdtool.formats.bbolt.cursor import root_bucket
from etcdtool.formats.bbolt.freelist import freelist_page, parse_freelist
from etcdtool.formats.bbolt.page import HEADER, PageError, PageFlag
from etcdtool.formats.bbolt.tree_check import FREE, USED, TreeCheck, check_inline, error, page_error
from etcdtool.formats.bbolt.tree_proof import is_good_tree

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from etcdtool.formats.bbolt.cursor import Bucket
    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.bbolt.tree_proof import LeafProof
    from etcdtool.formats.engine import Engine

__all__ = ["FINDINGS_PER_CODE_MAX", "check", "count_used", "pages_in_use"]

FINDINGS_PER_CODE_MAX = 1000
"""Findings of one code that are given; the rest is counted in one more."""


def check(
    image: Image,
    *,
    engine: Engine = "columns",
    proofs: Mapping[int, LeafProof] = MappingProxyType({}),
    marks: bytearray | None = None,
) -> Iterator[Finding]:
    """Yield what is wrong with a file, as it is found.

    Args:
        image: an opened file; a partial one gives an error for what is missing.
        engine: ``columns`` proves large buckets good column-wise and looks page by page only where that fails;
            ``plain`` looks page by page everywhere.  Both find the same.
        proofs: root page -> what was proven of the leaves of a bucket that was read to its end before.
        marks: one byte a page, all 0; for `count_used` when everything is checked.
    """
    yield from _limited(_check(image, engine, bytearray(image.page_limit) if marks is None else marks, proofs))


def pages_in_use(image: Image, *, engine: Engine = "columns") -> int:
    """Return how many pages are a meta page, the freelist's or reached from a bucket, overflow pages included."""
    marks = bytearray(image.page_limit)
    deque(_check(image, engine, marks, {}), maxlen=0)
    return count_used(marks)


def count_used(marks: bytearray) -> int:
    """Return how many pages a check has marked that `pages_in_use` counts."""
    return int(np.count_nonzero(np.frombuffer(marks, dtype=np.uint8) & USED))


def _check(image: Image, engine: Engine, marks: bytearray, proofs: Mapping[int, LeafProof]) -> Iterator[Finding]:
    yield from _check_metas(image, marks)
    free_is_known = yield from _check_freelist(image, marks)
    yield from _check_buckets(image, marks, engine, proofs)
    if free_is_known:
        yield from _leaked(image, marks)


def _check_metas(image: Image, marks: bytearray) -> Iterator[Finding]:
    missing = image.high_water_mark - image.page_limit
    if missing:
        detail = f"{missing} of {image.high_water_mark} pages are missing"
        yield error("bbolt.file-short", "file", detail, len(image.data))
    for meta in image.metas:
        offset = meta.page_id * image.page_size
        where = f"meta page {meta.page_id}"
        page_id, flags, _, _ = HEADER.unpack(image.data[offset : offset + HEADER.size])
        if page_id != meta.page_id:
            yield error("bbolt.page-id", where, f"self identifies as {page_id}", offset)
        if flags != PageFlag.META:
            yield error("bbolt.page-type", where, f"unexpected page type (flags: {flags:x})", offset)
        if meta.problem is not None:
            yield Finding(
                code="bbolt.meta-invalid",
                severity=Severity.WARNING,
                where=where,
                detail=f"{meta.problem}; the other meta page is in use",
                offset=offset,
                hint="A write that was cut off leaves this behind; the pages are judged by the other meta",
            )
        if meta.page_id < len(marks):
            marks[meta.page_id] = USED


def _check_freelist(image: Image, marks: bytearray) -> Generator[Finding, None, bool]:
    """Mark the freelist's pages and the free ones; return whether the file says which pages are free."""
    where = f"freelist page {image.meta.freelist}"
    try:
        page = freelist_page(image)
        if page is None:
            return False
        for page_id in range(page.id, page.id + page.overflow + 1):
            if marks[page_id] & USED:
                yield error("bbolt.page-shared", where, f"page {page_id} is a meta page", page.offset)
            marks[page_id] |= USED
        free = parse_freelist(image, page)
    except PageError as problem:
        yield page_error(problem, where)
        return False
    for page_id, count in Counter(free).items():
        if not 2 <= page_id < image.high_water_mark:
            yield error("bbolt.freelist-bounds", where, f"free page {page_id} is out of bounds", page.offset)
        if count > 1:
            yield error("bbolt.freelist-twice", where, f"page {page_id} stands {count} times in it", page.offset)
        if page_id < len(marks):
            if page.id <= page_id <= page.id + page.overflow:
                yield error("bbolt.page-freed", where, f"page {page_id} of the freelist is free itself", page.offset)
            marks[page_id] |= FREE
    return True


def _check_buckets(
    image: Image, marks: bytearray, engine: Engine, proofs: Mapping[int, LeafProof]
) -> Iterator[Finding]:
    nested: list[Bucket] = []
    root = root_bucket(image)
    if root.root == 0:
        yield error("bbolt.page-bounds", "the root bucket", "no root page", root.offset)
        return
    yield from TreeCheck(image, root, marks, nested, is_root=True).findings()
    pending = deque(nested)
    while pending:
        bucket = pending.popleft()
        if bucket.inline is not None:
            yield from check_inline(bucket, bucket.inline)
        elif (
            engine == "plain"
            or not _is_large(image, bucket)
            or not is_good_tree(image, bucket, marks, proofs.get(bucket.root))
        ):
            nested = []
            yield from TreeCheck(image, bucket, marks, nested).findings()
            pending.extend(nested)


def _is_large(image: Image, bucket: Bucket) -> bool:
    try:
        return image.page(bucket.root).flags == PageFlag.BRANCH
    except PageError:
        return False


def _leaked(image: Image, marks: bytearray) -> Iterator[Finding]:
    for start, stop in _runs(page_id for page_id, mark in enumerate(marks) if not mark):
        where = f"page {start}" if stop == start + 1 else f"pages {start} to {stop - 1}"
        yield error("bbolt.page-leaked", where, "unreachable unfreed", start * image.page_size)


def _runs(ids: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield ``(start, stop)`` of runs of neighbouring ids."""
    for _, group in groupby(enumerate(ids), key=lambda pair: pair[1] - pair[0]):
        members = [page_id for _, page_id in group]
        yield members[0], members[-1] + 1


def _limited(findings: Iterable[Finding]) -> Iterator[Finding]:
    counts: Counter[str] = Counter()
    beyond: dict[str, Finding] = {}
    for finding in findings:
        counts[finding.code] += 1
        if counts[finding.code] <= FINDINGS_PER_CODE_MAX:
            yield finding
        else:
            beyond.setdefault(finding.code, finding)
    for code, finding in beyond.items():
        detail = f"{counts[code] - FINDINGS_PER_CODE_MAX} more findings like this"
        yield Finding(code=code, severity=finding.severity, where="file", detail=detail)
