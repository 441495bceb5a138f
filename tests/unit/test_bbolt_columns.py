"""Columns on real files, their guards against crafted ones, and words at any offset."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support import samples
from support.bbolt_files import column_rows, numbered, outcome, plain_rows, set_meta, written

from etcdtool.errors import FormatError
from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.bbolt.page import Image, PageError
from etcdtool.formats.words import Strings, compare, unaligned_words

if TYPE_CHECKING:
    import random

SNAPSHOTS = samples.databases()
LIVE_KEYS = "v3/3.7/snapshot.db.gz"


def one_tree(data: bytearray) -> tuple[Image, cursor.Bucket]:
    image = Image.open(memoryview(bytes(data)))
    return image, cursor.root_buckets(image)[b"b"]


@pytest.mark.parametrize("name", SNAPSHOTS)
@pytest.mark.parametrize("pages_per_block", [1, 3, 2048])
def test_real_files_read_alike_by_both_engines(name: str, pages_per_block: int) -> None:
    try:
        image = Image.open(memoryview(samples.unpack(name).read_bytes()))
        buckets = cursor.root_buckets(image)
    except FormatError:
        return
    for bucket in buckets.values():
        by_columns = outcome(lambda bucket=bucket: column_rows(image, bucket, pages_per_block))  # type: ignore[misc]
        assert by_columns == outcome(lambda bucket=bucket: plain_rows(image, bucket))  # type: ignore[misc]


def test_the_walk_finds_every_revision_that_the_real_tool_counted() -> None:
    image = Image.open(memoryview(samples.unpack(LIVE_KEYS).read_bytes()))
    blocks = list(columns.iter_blocks(image, cursor.root_buckets(image)[b"key"]))
    assert sum(len(block) for block in blocks) == 2212
    assert sum(len(block.runs()) for block in blocks) == len(
        columns.leaf_pages(image, cursor.root_buckets(image)[b"key"])
    )


def test_get_finds_each_key_and_no_other() -> None:
    pairs = numbered(3000)
    image, bucket = one_tree(written({b"b": pairs}))
    assert all(cursor.get(image, bucket, key) == value for key, value in pairs[::37])
    assert [cursor.get(image, bucket, key) for key in (b"\0", b"\xff" * 9, pairs[5][0] + b"\0")] == [None] * 3


def test_a_bucket_on_uneven_branches_is_read_in_order() -> None:
    data = written({b"b": numbered(60)})
    image, bucket = one_tree(data)
    branch = image.page(bucket.root)
    leaves = columns.leaf_pages(image, bucket).tolist()
    # a second branch page at the end of the file takes over the last leaf
    new = len(data) // 1024
    element = branch.offset + 16 * branch.count
    pos, ksize, _ = struct.unpack_from("<IIQ", data, element)
    key = data[element + pos : element + pos + ksize]
    struct.pack_into("<Q", data, element + 8, new)
    page = struct.pack("<QHHIIIQ", new, 1, 1, 0, 16, len(key), leaves[-1]) + bytes(key)
    data += page.ljust(1024, b"\0")
    set_meta(data, 1024, high_water_mark=new + 1)
    image, bucket = one_tree(data)
    assert columns.leaf_pages(image, bucket).tolist() == leaves
    assert column_rows(image, bucket) == plain_rows(image, bucket)
    assert len(plain_rows(image, bucket)) == 60


@pytest.mark.parametrize("child", [0, 1, 1 << 40, 1 << 63, (1 << 64) - 1, (1 << 64) - 3])
def test_a_child_outside_the_file_is_refused_and_not_wrapped(child: int) -> None:
    data = written({b"b": numbered(200)})
    image, bucket = one_tree(data)
    struct.pack_into("<Q", data, image.page(bucket.root).offset + 16 + 8, child)
    image, bucket = one_tree(data)
    with pytest.raises(PageError) as caught:
        columns.leaf_pages(image, bucket)
    assert caught.value.code in ("bbolt.page-bounds", "bbolt.page-type")
    assert caught.value.offset is not None
    assert outcome(lambda: plain_rows(image, bucket)) == "error"


def test_a_chain_of_branches_ends() -> None:
    data = written({b"b": numbered(60)})
    image, bucket = one_tree(data)
    first = len(data) // 1024
    for number in range(100):
        child = first + number + 1 if number < 99 else columns.leaf_pages(image, bucket).tolist()[0]
        page = struct.pack("<QHHIIIQ", first + number, 1, 1, 0, 16, 1, child) + b"\0"
        data += page.ljust(1024, b"\0")
    element = image.page(bucket.root).offset + 16
    struct.pack_into("<Q", data, element + 8, first)
    set_meta(data, 1024, high_water_mark=len(data) // 1024)
    image, bucket = one_tree(data)
    for read in (column_rows, plain_rows):
        with pytest.raises(PageError) as caught:
            read(image, bucket)
        assert caught.value.code in ("bbolt.tree-depth", "bbolt.page-type", "bbolt.tree-uneven")


def test_overlapping_elements_are_refused_so_that_work_is_bounded() -> None:
    # 60 elements that each claim all of a long page
    data = written({b"b": [(b"k", bytes(200_000))]})
    image, bucket = one_tree(data)
    start = image.page(bucket.root).offset
    struct.pack_into("<H", data, start + 10, 60)
    for index in range(60):
        struct.pack_into("<IIII", data, start + 16 * (1 + index), 0, 1000, 1, 150_000)
    image, bucket = one_tree(data)
    for read in (column_rows, plain_rows):
        with pytest.raises(PageError, match="claim"):
            read(image, bucket)


@pytest.mark.parametrize("size", range(40))
def test_words_at_every_offset_up_to_the_end(size: int) -> None:
    data = bytes(range(1, size + 1))
    words = unaligned_words(memoryview(data))
    offsets = np.arange(size + 1, dtype=np.int64)
    expected = [int.from_bytes(data[offset : offset + 8].ljust(8, b"\0"), "little") for offset in range(size + 1)]
    assert words[offsets].tolist() == expected
    assert [int(word) for offset in range(size + 1) for word in words[np.array([offset])]] == expected
    for outside in (-1, size + 1):
        with pytest.raises(FormatError):
            words[np.array([outside])]


def test_compare_orders_as_bytes_do(rng: random.Random) -> None:
    strings = [bytes(rng.choices(b"\0a\xff", k=rng.randrange(20))) for _ in range(400)]
    data = b"".join(strings)
    sizes = np.array([len(string) for string in strings], dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    rows, columns_ = np.divmod(np.arange(len(strings) ** 2), len(strings))
    words = unaligned_words(memoryview(data))
    got = compare(words, Strings(starts[rows], sizes[rows]), Strings(starts[columns_], sizes[columns_]))
    expected = [(left > right) - (left < right) for left in strings for right in strings]
    assert got.tolist() == expected
