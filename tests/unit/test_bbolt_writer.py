"""What the writer refuses, and the shape of what it writes."""

from __future__ import annotations

import io
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from support.bbolt_files import numbered, written

from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.bbolt.check import check
from etcdtool.formats.bbolt.page import Image, PageFlag
from etcdtool.formats.bbolt.writer import KEY_SIZE_MAX, write_database

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    "pairs",
    [
        [(b"b", b""), (b"a", b"")],
        [(b"a", b""), (b"a", b"")],
        [(b"", b"")],
        [(b"a" * (KEY_SIZE_MAX + 1), b"")],
        [*numbered(2000), (b"\0", b"")],
    ],
)
def test_pairs_that_no_bucket_takes(pairs: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(ValueError, match="key"):
        written({b"bucket": pairs})


@pytest.mark.parametrize("options", [{"page_size": 3000}, {"page_size": 512}, {"txid": 0}])
def test_options_that_no_file_has(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"page size|txid"):
        write_database(io.BytesIO(), {}, **options)


@pytest.mark.parametrize(("size", "is_inline"), [(1024, True), (1025, False)])
def test_a_quarter_page_is_inline(size: int, *, is_inline: bool) -> None:
    # page header, element, key, value
    image = Image.open(memoryview(written({b"b": [(b"k", bytes(size - 16 - 16 - 1))]}, page_size=4096)))
    assert (cursor.root_buckets(image)[b"b"].inline is not None) is is_inline


@pytest.mark.parametrize("txid", [1, 2, 3, 71, (1 << 64) - 1])
def test_both_metas_are_good_and_the_parity_is_bbolts(txid: int) -> None:
    image = Image.open(memoryview(written({b"b": numbered(9)}, txid=txid)))
    assert (image.meta.txid, image.meta.page_id) == (txid, txid % 2)
    other = image.metas[1 - txid % 2]
    assert (other.txid, other.problem, other.root) == (txid - 1, None, image.meta.root)


def test_no_branch_page_has_an_only_child() -> None:
    keys = [b"%04d" % number + b"k" * (300 if number % 7 else 3000) for number in range(400)]
    image = Image.open(memoryview(written({b"b": [(key, b"") for key in keys]})))
    tree = columns.walk(image, cursor.root_buckets(image)[b"b"])
    assert len(tree.levels) > 3
    for level in tree.levels:
        assert min(image.page(page).count for page in level.pages.tolist()) >= 2


def test_a_page_takes_no_more_than_its_header_can_count() -> None:
    pairs = [(number.to_bytes(3, "big"), b"") for number in range(1, 70001)]
    image = Image.open(memoryview(written({b"b": pairs}, page_size=1 << 24)))
    bucket = cursor.root_buckets(image)[b"b"]
    assert [image.page(page).count for page in columns.leaf_pages(image, bucket).tolist()] == [65534, 4466]
    assert list(check(image)) == []


def test_an_empty_database_has_an_empty_root_leaf() -> None:
    image = Image.open(memoryview(written({})))
    root = image.page(image.meta.root)
    assert (root.flags, root.count, image.high_water_mark) == (PageFlag.LEAF, 0, 3)
    assert cursor.root_buckets(image) == {}


def test_pairs_are_not_held() -> None:
    def pairs() -> Iterator[tuple[bytes, bytes]]:
        for number in range(60000):
            yield number.to_bytes(8, "big", signed=False) + b"k", bytes(500)

    class Discarding(io.RawIOBase):
        def write(self, data: object) -> int:
            return len(memoryview(data))  # type: ignore[arg-type]

        def seek(self, offset: int, whence: int = 0) -> int:
            return offset

    tracemalloc.start()
    try:
        written_size = write_database(Discarding(), {b"b": pairs()}).size  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert written_size > 30_000_000
    assert peak < 1_000_000
