"""What a transaction writes, where, and how much of the file it looks at."""

from __future__ import annotations

import struct
from unittest import mock

import pytest
from support.bbolt_files import applied, numbered, with_freelist, written

from etcdtool.errors import FormatError
from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.bbolt.check import check
from etcdtool.formats.bbolt.freelist import free_pages, freelist_page, parse_freelist
from etcdtool.formats.bbolt.meta import NO_FREELIST
from etcdtool.formats.bbolt.page import Image, PageFlag
from etcdtool.formats.bbolt.transaction import Transaction
from etcdtool.formats.bbolt.writer import COUNT_MAX, KEY_SIZE_MAX, pack_meta


def opened(data: bytes | bytearray) -> Image:
    return Image.open(memoryview(bytes(data)))


def put(data: bytes, key: bytes, value: bytes, *, reuse: bool = False) -> bytes:
    image = opened(data)
    transaction = Transaction(image, free_pages=free_pages(image) if reuse else ())
    transaction.put(b"b", key, value)
    return applied(data, transaction.commit())


@pytest.mark.parametrize("count", [1_000, 30_000])
def test_the_cost_is_that_of_the_edit(count: int) -> None:
    data = bytes(written({b"b": numbered(count), b"c": numbered(count)}))
    image = opened(data)
    read = []
    real = Image.page

    def page(self: Image, page_id: int) -> object:
        read.append(page_id)
        return real(self, page_id)

    with mock.patch.object(Image, "page", page):
        transaction = Transaction(image)
        transaction.put(b"b", numbered(count)[count // 2][0] + b"new", b"value")
        edit = transaction.commit()
    height = len(columns.walk(image, cursor.root_buckets(image)[b"b"]).levels) + 1
    assert len(read) <= height + 2
    assert len(edit.pages) <= height + 3
    assert edit.size <= len(data) + (height + 3) * 1024


@pytest.mark.parametrize("txid", [2, 3])
def test_the_meta_in_use_survives_a_torn_write_of_the_new_one(txid: int) -> None:
    # as a snapshot has it: the newer meta on page 0, whatever its txid
    plain = opened(written({b"b": numbered(3)}))
    facts = {"page_size": 1024, "root": plain.meta.root, "high_water_mark": plain.high_water_mark}
    whole = pack_meta(0, txid=txid, **facts) + pack_meta(1, txid=txid - 1, **facts) + bytes(plain.data[2048:])
    transaction = Transaction(opened(whole))
    transaction.put(b"b", b"k", b"v")
    edit = transaction.commit()
    torn = bytearray(applied(whole, edit))
    torn[edit.meta[0] + 30] ^= 1
    image = opened(torn)
    assert image.meta.txid == txid
    assert cursor.get(image, cursor.root_buckets(image)[b"b"], b"k") is None


def test_no_transaction_id_is_left() -> None:
    transaction = Transaction(opened(written({b"b": []}, txid=(1 << 64) - 1)))
    with pytest.raises(FormatError, match="no transaction id is left"):
        transaction.commit()


def test_free_pages_are_used_again() -> None:
    data = bytes(written({b"b": numbered(200)}))
    sizes = set()
    for number in range(30):
        data = put(data, b"%d" % number, bytes(700), reuse=True)
        sizes.add(opened(data).high_water_mark)
        assert list(check(opened(data))) == []
    grown = len(put(data, b"last", bytes(700))) - len(data)
    assert max(sizes) * 1024 - len(bytes(written({b"b": numbered(200)}))) < 30 * grown / 2


def test_a_persisted_freelist_goes_and_its_pages_with_it() -> None:
    data = put(put(bytes(written({b"b": numbered(200)})), b"x", b""), b"y", b"")
    listed = with_freelist(data)
    page = freelist_page(opened(listed))
    assert page is not None
    assert list(check(opened(listed))) == []
    assert parse_freelist(opened(listed), page) == free_pages(opened(listed)) != []
    changed = opened(put(listed, b"z", b"", reuse=True))
    assert (changed.meta.freelist, list(check(changed))) == (NO_FREELIST, [])
    assert set(range(page.id, page.id + page.overflow + 1)) <= set(free_pages(changed))


def test_a_bucket_goes_inline_and_out_again() -> None:
    data = bytes(written({b"b": [(b"k", bytes(100))], b"c": numbered(50)}))
    out = put(data, b"l", bytes(1000))
    assert cursor.root_buckets(opened(out))[b"b"].inline is None
    transaction = Transaction(opened(out))
    transaction.delete(b"b", b"l")
    back = opened(applied(out, transaction.commit()))
    assert cursor.root_buckets(back)[b"b"].inline is not None
    assert list(check(back)) == []


def test_sequences_stay() -> None:
    data = written({b"b": [(b"k", b"v")], b"c": numbered(50)})
    image = opened(data)
    for bucket in cursor.root_buckets(image).values():
        struct.pack_into("<Q", data, bucket.offset + 8, 77)
    transaction = Transaction(opened(data))
    for name in (b"b", b"c"):
        transaction.put(name, b"new", b"")
    changed = opened(applied(bytes(data), transaction.commit()))
    assert [bucket.sequence for bucket in cursor.root_buckets(changed).values()] == [77, 77]


def test_a_commit_without_changes_writes_a_meta_only() -> None:
    data = bytes(written({b"b": numbered(50)}))
    transaction = Transaction(opened(data))
    assert transaction.get(b"b", numbered(1)[0][0]) is not None
    transaction.create_bucket(b"b")
    edit = transaction.commit()
    assert (edit.pages, edit.size) == ((), len(data))


def test_more_elements_than_a_header_counts() -> None:
    count = COUNT_MAX
    pairs = [(number.to_bytes(3, "big"), b"") for number in range(1, count + 1)]
    data = bytes(written({b"b": pairs}, page_size=1 << 22))
    changed = opened(put(data, b"\xff\xff\xff\xff", b""))
    assert list(check(changed)) == []
    assert len(columns.leaf_pages(changed, cursor.root_buckets(changed)[b"b"])) > 1


def test_what_is_refused() -> None:
    transaction = Transaction(opened(written({b"b": numbered(3)})))
    with pytest.raises(KeyError):
        transaction.put(b"nowhere", b"k", b"v")
    with pytest.raises(KeyError):
        transaction.get(b"nowhere", b"k")
    for key in (b"", b"k" * (KEY_SIZE_MAX + 1)):
        with pytest.raises(ValueError, match=r"empty|too large"):
            transaction.put(b"b", key, b"")
    with pytest.raises(ValueError, match="name"):
        transaction.create_bucket(b"")


def test_nested_buckets_are_left_alone() -> None:
    # a bucket in a bucket: bbolt allows it, etcd has none
    inner = cursor.BUCKET_HEADER.pack(0, 0) + struct.pack("<QHHI", 0, PageFlag.LEAF, 0, 0)
    data = written({b"b": [*numbered(40), (b"inner", inner)]})
    at = next(place for place in range(2048, len(data), 16) if struct.unpack_from("<II", data, place + 8) == (5, 32))
    struct.pack_into("<I", data, at, 1)
    transaction = Transaction(opened(data))
    assert transaction.get(b"b", b"inner") is None
    assert len(list(transaction.items(b"b"))) == 40
    for act in (lambda: transaction.put(b"b", b"inner", b""), lambda: transaction.delete(b"b", b"inner")):
        with pytest.raises(ValueError, match="is a bucket itself"):
            act()
    assert transaction.clear(b"b") == 40
    changed = opened(applied(bytes(data), transaction.commit()))
    assert list(check(changed)) == []
    assert [item.key for item in cursor.iter_items(changed, cursor.root_buckets(changed)[b"b"])] == [b"inner"]
    assert cursor.root_buckets(changed)[b"b"].inline is None
