"""Packed files hold what they were made from, whatever the blocks, the sizes and the pages."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.bbolt_files import column_rows, numbered, plain_rows, written

from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.bbolt.check import check
from etcdtool.formats.bbolt.packer import Packer, Spans
from etcdtool.formats.bbolt.page import Image

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KEYS = st.binary(min_size=1, max_size=6) | st.builds(
    lambda byte, size: bytes([byte]) * size, st.integers(0, 255), st.sampled_from([40, 300, 900, 3000])
)
VALUES = st.binary(max_size=20) | st.builds(bytes, st.sampled_from([200, 1000, 1500, 5000]))
PAIRS = st.dictionaries(KEYS, VALUES, max_size=60)
BUCKETS = st.dictionaries(st.binary(max_size=5).filter(bool), PAIRS, max_size=4)


def packed(image: Image, *, pages_per_block: int, page_size: int, keep: int = 0) -> bytes:
    """Pack a file's buckets, leaving out each ``keep``-th pair."""
    out = io.BytesIO()
    packer = Packer(out, page_size)
    for name, bucket in cursor.root_buckets(image).items():
        target = packer.bucket(name, image.data, sequence=bucket.sequence)
        for spans in _chosen(image, bucket, pages_per_block, keep):
            target.add(spans)
        target.finish()
    done = packer.finish()
    assert out.tell() == done.size == len(out.getvalue()) == done.high_water_mark * page_size
    return out.getvalue()


def _chosen(image: Image, bucket: cursor.Bucket, pages_per_block: int, keep: int) -> Iterator[Spans]:
    for block in columns.iter_blocks(image, bucket, pages_per_block=pages_per_block):
        spans = Spans.of(block)
        yield spans.rows(np.arange(len(spans)) % keep != 0) if keep else spans


def content(data: bytes) -> Mapping[bytes, dict[bytes, bytes]]:
    image = Image.open(memoryview(data))
    assert list(check(image)) == list(check(image, engine="plain")) == []
    found = {}
    for name, bucket in cursor.root_buckets(image).items():
        rows = plain_rows(image, bucket)
        assert column_rows(image, bucket) == rows
        found[name] = {key: value for _, _, _, key, value in rows}
    return found


@given(BUCKETS, st.sampled_from([1, 2, 3, 2048]), st.sampled_from([1024, 4096]), st.sampled_from([1024, 8192]))
def test_the_content_is_that_of_the_source(
    buckets: dict[bytes, dict[bytes, bytes]], pages_per_block: int, page_size: int, packed_page_size: int
) -> None:
    source = written({name: sorted(pairs.items()) for name, pairs in buckets.items()}, page_size=page_size)
    image = Image.open(memoryview(source))
    data = packed(image, pages_per_block=pages_per_block, page_size=packed_page_size)
    assert content(data) == buckets


@given(st.integers(1, 3000), st.integers(0, 300), st.integers(2, 9), st.sampled_from([1, 5, 2048]))
def test_what_is_left_out_is_not_there(count: int, size: int, keep: int, pages_per_block: int) -> None:
    pairs = numbered(count, size)
    image = Image.open(memoryview(written({b"b": pairs})))
    data = packed(image, pages_per_block=pages_per_block, page_size=1024, keep=keep)
    found = content(data)[b"b"]
    if pages_per_block == 2048:
        assert found == {key: value for number, (key, value) in enumerate(pairs) if number % keep}
    assert found.items() <= dict(pairs).items()


@given(st.integers(1, 4000), st.integers(0, 200))
def test_no_page_has_an_only_element_and_all_are_as_full_as_upstream_fills_them(count: int, size: int) -> None:
    image = Image.open(memoryview(written({b"b": numbered(count, size)})))
    packed_image = Image.open(memoryview(packed(image, pages_per_block=7, page_size=1024)))
    bucket = cursor.root_buckets(packed_image)[b"b"]
    if bucket.inline is not None:
        return
    tree = columns.walk(packed_image, bucket)
    for level in [*(level.pages for level in tree.levels), tree.leaves.page]:
        counts = [packed_image.page(page).count for page in level.tolist()]
        assert min(counts) >= 2 or len(level) == 1
    pair_size = 16 + 8 + size
    per_page = max((int(1024 * 0.9) - 16) // pair_size, 2)
    assert {packed_image.page(page).count for page in tree.leaves.page[:-2].tolist()} <= {per_page}
