"""Writer against reader, columns against the plain walk, and any bytes against all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from support.bbolt_files import META_SIZE, column_rows, outcome, plain_rows, written

from etcdtool.errors import FormatError
from etcdtool.formats import digest
from etcdtool.formats.bbolt import cursor
from etcdtool.formats.bbolt.check import check
from etcdtool.formats.bbolt.page import Image

if TYPE_CHECKING:
    from etcdtool.formats.bbolt.cursor import Bucket

Buckets = dict[bytes, list[tuple[bytes, bytes]]]
PAGE_SIZES = st.sampled_from([1024, 1024, 1024, 2048, 4096, 65536])


@st.composite
def pairs(draw: st.DrawFn) -> list[tuple[bytes, bytes]]:
    """Draw a bucket: a few odd pairs, or many alike, or one that takes overflow pages."""
    odd = draw(st.dictionaries(st.binary(min_size=1, max_size=40), st.binary(max_size=60), max_size=8))
    count = draw(st.sampled_from([0, 0, 1, 12, 70, 700]))
    size = draw(st.sampled_from([0, 1, 43, 600]))
    many = {
        number.to_bytes(draw(st.sampled_from([3, 8])), "big"): bytes([number % 256]) * size for number in range(count)
    }
    large = {b"\x7flarge": bytes(draw(st.sampled_from([1000, 5000, 70000])))} if draw(st.booleans()) else {}
    return sorted((odd | many | large).items())


BUCKETS = st.dictionaries(st.binary(min_size=1, max_size=12), pairs(), max_size=4)
# places that matter: header fields, element fields, a byte anywhere
SPOTS = st.tuples(
    st.sampled_from([0, 8, 10, 12, 16, 20, 24, 28, 31, 32, 40, 56, -1]), st.integers(0), st.integers(0, 255)
)


def damaged(data: bytearray, page_size: int, spots: list[tuple[int, int, int]], *, sealed: bool) -> bytes:
    page_count = len(data) // page_size
    for field, place, value in spots:
        offset = place % len(data) if field < 0 else place % page_count * page_size + field
        data[offset] = value
    for start in (16, page_size + 16) if sealed else ():
        checksum = digest.fnv1a64(data[start : start + META_SIZE])
        data[start + META_SIZE : start + META_SIZE + 8] = checksum.to_bytes(8, "little")
    return bytes(data)


def agree(image: Image, bucket: Bucket) -> None:
    plain = outcome(lambda: plain_rows(image, bucket))
    for pages_per_block in (1, 2, 3):
        assert outcome(lambda size=pages_per_block: column_rows(image, bucket, size)) == plain  # type: ignore[misc]


@given(BUCKETS, PAGE_SIZES, st.integers(1, 1 << 63))
def test_what_is_written_is_read(buckets: Buckets, page_size: int, txid: int) -> None:
    image = Image.open(memoryview(bytes(written(buckets, page_size=page_size, txid=txid))))
    assert (image.page_size, image.meta.txid) == (page_size, txid)
    found = cursor.root_buckets(image)
    assert list(found) == sorted(buckets)
    for name, wanted in buckets.items():
        rows = plain_rows(image, found[name])
        assert [(key, value) for _, _, _, key, value in rows] == wanted
        assert column_rows(image, found[name], 1) == rows
        for key, value in wanted[::29]:
            assert cursor.get(image, found[name], key) == value
    assert list(check(image)) == list(check(image, engine="plain")) == []


@given(BUCKETS, st.lists(SPOTS, min_size=1, max_size=6), st.booleans())
def test_both_engines_see_the_same_in_damaged_files(
    buckets: Buckets, spots: list[tuple[int, int, int]], sealed: bool
) -> None:
    data = damaged(written(buckets), 1024, spots, sealed=sealed)
    try:
        image = Image.open(memoryview(data), partial=True)
    except FormatError:
        return
    assert list(check(image)) == list(check(image, engine="plain"))
    agree(image, cursor.root_bucket(image))
    try:
        found = cursor.root_buckets(image)
    except FormatError:
        return
    for bucket in found.values():
        agree(image, bucket)


@given(st.binary(max_size=6000), st.booleans())
def test_any_bytes_give_a_file_or_an_error_of_ours(data: bytes, sealed: bool) -> None:
    head = damaged(written({}, page_size=1024), 1024, [], sealed=False)[:2048] if sealed else b""
    whole = head + data
    try:
        image = Image.open(memoryview(whole), partial=True)
        buckets = cursor.root_buckets(image)
    except FormatError as error:
        place = error.offset
    else:
        place = None
        for bucket in buckets.values():
            agree(image, bucket)
        assert list(check(image)) == list(check(image, engine="plain"))
    assert place is None or 0 <= place <= len(whole)
