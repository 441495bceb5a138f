"""Page layout, meta choice and page size detection, against real files and what real tools said of them."""

from __future__ import annotations

import struct

import pytest
from support import samples
from support.bbolt_files import numbered, set_meta, written

from etcdtool.errors import ChecksumError, FormatError
from etcdtool.formats.bbolt.page import Image, PageError


def opened(name: str, *, partial: bool = False) -> Image:
    return Image.open(memoryview(samples.unpack(name).read_bytes()), partial=partial)


def test_total_size_is_what_the_real_tool_says() -> None:
    said = samples.expected("damaged/snapshots")["variants"]["good"]["tools"]["etcdutl-3.7 snapshot status"]["json"]
    image = opened("damaged/snapshots/good.db.gz")
    assert image.high_water_mark * image.page_size == said["totalSize"]


def test_newer_meta_is_chosen_and_a_bad_one_passed_over() -> None:
    good = opened("damaged/snapshots/good.db.gz")
    assert (good.meta.page_id, good.meta.txid, [meta.problem for meta in good.metas]) == (0, 71, [None, None])
    one_bad = opened("damaged/snapshots/meta1-bad.db.gz")
    assert (one_bad.meta.txid, one_bad.metas[1].problem) == (71, "checksum error")


def test_of_two_metas_with_one_txid_the_first_is_chosen() -> None:
    data = written({b"b": numbered(3)})
    set_meta(data, 1024, txid=7)
    assert Image.open(memoryview(data)).meta.page_id == 0


def test_both_metas_bad_is_a_checksum_error_with_both_sums() -> None:
    with pytest.raises(ChecksumError) as caught:
        opened("damaged/snapshots/metas-bad.db.gz")
    assert (caught.value.offset, len(str(caught.value.stored))) == (0, 16)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("truncated-half.db.gz", "cut short by 292725 bytes: 143 pages of 4096 bytes need 585728"),
        ("truncated-half-page+sealed.db.gz", "cut short by 294880 bytes"),
        ("truncated-page0.db.gz", "file size too small 4096"),
        ("meta-pagesize.db.gz", "the page size may be what is damaged"),
    ],
)
def test_a_file_that_is_too_short_says_by_how_much(name: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        opened(f"damaged/snapshots/{name}")


def test_partial_reads_what_is_there() -> None:
    image = opened("damaged/snapshots/truncated-half-page.db.gz", partial=True)
    assert (image.high_water_mark, image.page_limit) == (143, 71)
    assert image.page(5).count == 58
    with pytest.raises(PageError, match="out of bounds: 71 pages"):
        image.page(71)


@pytest.mark.parametrize("page_size", [1 << shift for shift in range(10, 25)])
@pytest.mark.parametrize("first_meta_is_good", [True, False])
def test_every_page_size_is_found(page_size: int, *, first_meta_is_good: bool) -> None:
    data = written({b"b": numbered(30)}, page_size=page_size)
    if not first_meta_is_good:
        data[16:20] = b"none"
    image = Image.open(memoryview(data))
    assert (image.page_size, image.meta.txid) == (page_size, 2 if first_meta_is_good else 1)


def test_trailer_and_tail_are_not_looked_at() -> None:
    data = written({b"b": numbered(30)})
    assert Image.open(memoryview(data + bytes(777))).page_limit == len(data) // 1024


def test_a_big_endian_file_is_named() -> None:
    data = written({b"b": numbered(3)}, page_size=4096)
    for page in (0, 1):
        start = page * 4096 + 16
        fields = struct.unpack_from("<IIIIQQQQQQ", data, start)
        struct.pack_into(">IIIIQQQQQQ", data, start, *fields)
    with pytest.raises(FormatError, match="big-endian"):
        Image.open(memoryview(data))


@pytest.mark.parametrize("data", [b"", b"\0", b"<html>", bytes(1 << 20), b"\x1f\x8b" + bytes(5000)])
def test_no_bbolt_file(data: bytes) -> None:
    with pytest.raises(FormatError, match="invalid database"):
        Image.open(memoryview(data))


@pytest.mark.parametrize("page_size", [0, 512, 3000, 1 << 25, 0xFFFFFFFF])
def test_an_impossible_page_size_is_refused(page_size: int) -> None:
    data = written({b"b": numbered(30)}, page_size=4096)
    set_meta(data, 4096, page_size=page_size)
    with pytest.raises(FormatError, match="no power of two"):
        Image.open(memoryview(data))


def test_an_absurd_high_water_mark_is_refused() -> None:
    data = written({b"b": numbered(30)})
    set_meta(data, 1024, high_water_mark=(1 << 64) - 1)
    with pytest.raises(FormatError, match="cut short"):
        Image.open(memoryview(data))
    assert Image.open(memoryview(data), partial=True).page_limit == len(data) // 1024
