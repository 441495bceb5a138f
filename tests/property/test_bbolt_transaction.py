"""Any edits give the file that a dictionary would give, and no page of the state before is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from support.bbolt_files import applied, column_rows, numbered, plain_rows, with_freelist, written

from etcdtool.errors import FormatError
from etcdtool.formats.bbolt import cursor
from etcdtool.formats.bbolt.check import check
from etcdtool.formats.bbolt.freelist import free_pages
from etcdtool.formats.bbolt.meta import NO_FREELIST
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.bbolt.transaction import Transaction

if TYPE_CHECKING:
    from etcdtool.formats.bbolt.transaction import Edit

    Model = dict[bytes, dict[bytes, bytes]]

NAMES = st.sampled_from([b"a", b"key", b"members", b"z" * 40])
# few different keys, so that puts meet puts; some of a branch page's size
KEYS = st.one_of(
    st.integers(1, 420).map(lambda number: number.to_bytes(8, "big")),
    st.integers(0, 30).map(lambda number: b"%d" % number * (1 + 40 * (number % 3))),
    st.binary(min_size=1, max_size=3),
)
VALUES = st.one_of(st.binary(max_size=8), st.integers(0, 3000).map(bytes))
STEPS = st.one_of(
    st.tuples(st.just("put"), NAMES, KEYS, VALUES),
    st.tuples(st.just("put"), NAMES, KEYS, VALUES),
    st.tuples(st.just("delete"), NAMES, KEYS, st.just(b"")),
    st.tuples(st.just("create"), NAMES, st.just(b""), st.just(b"")),
    st.tuples(st.just("clear"), NAMES, st.just(b""), st.just(b"")),
    # a stretch of keys, so that whole leaves and branches go
    st.tuples(st.just("cut"), NAMES, KEYS, KEYS),
)
TRANSACTIONS = st.lists(st.lists(STEPS, max_size=25), min_size=1, max_size=4)
STARTS = st.dictionaries(
    NAMES, st.tuples(st.sampled_from([0, 1, 5, 40, 400]), st.sampled_from([0, 40, 700])), max_size=4
).map(lambda sizes: {name: dict(numbered(count, size)) for name, (count, size) in sizes.items()})


def step(transaction: Transaction, model: Model, act: str, name: bytes, key: bytes, value: bytes) -> None:
    if act == "create":
        transaction.create_bucket(name)
        model.setdefault(name, {})
        return
    assert transaction.has_bucket(name) == (name in model)
    if name not in model:
        return
    bucket = model[name]
    if act == "put":
        transaction.put(name, key, value)
        bucket[key] = value
    elif act == "delete":
        assert transaction.delete(name, key) == (bucket.pop(key, None) is not None)
    elif act == "clear":
        assert transaction.clear(name) == len(bucket)
        bucket.clear()
    else:
        for gone in [kept for kept in bucket if key <= kept < value]:
            assert transaction.delete(name, gone)
            del bucket[gone]
    assert transaction.get(name, key) == bucket.get(key)


def content(data: bytes) -> Model:
    image = Image.open(memoryview(data))
    found: Model = {}
    for name, bucket in cursor.root_buckets(image).items():
        rows = plain_rows(image, bucket)
        assert column_rows(image, bucket) == rows
        found[name] = {key: value for _, _, _, key, value in rows}
    return found


def hold(before: bytes, edit: Edit, model_before: Model, model: Model) -> bytes:
    """Hold a transaction's writes against both models; gives the file after it."""
    assert content(applied(before, edit, writes=len(edit.pages))) == model_before, "the old state stays until the end"
    data = applied(before, edit)
    image = Image.open(memoryview(data))
    assert (image.meta.txid, image.meta.freelist) == (edit.txid, NO_FREELIST)
    assert image.meta.page_id == edit.txid % 2 == edit.meta[0] // image.page_size
    assert image.high_water_mark * image.page_size == edit.size
    assert list(check(image)) == list(check(image, engine="plain")) == []
    assert content(data) == model
    return data


@given(STARTS, TRANSACTIONS, st.booleans(), st.sampled_from([2, 3]), st.sampled_from([1024, 4096]), st.booleans())
def test_edits_do_what_a_dictionary_does(
    start: Model,
    transactions: list[list[tuple[str, bytes, bytes, bytes]]],
    reuse: bool,
    txid: int,
    page_size: int,
    persisted: bool,
) -> None:
    buckets = {name: sorted(pairs.items()) for name, pairs in start.items()}
    data = bytes(written(buckets, page_size=page_size, txid=txid))
    if persisted:
        data = with_freelist(data)
    model = start
    for steps in transactions:
        image = Image.open(memoryview(data))
        free = free_pages(image) if reuse else []
        transaction = Transaction(image, free_pages=free)
        before, model = model, {name: dict(pairs) for name, pairs in model.items()}
        for one in steps:
            step(transaction, model, *one)
        for name, pairs in model.items():
            assert list(transaction.items(name)) == sorted(pairs.items())
            assert list(transaction.items(name, backwards=True)) == sorted(pairs.items(), reverse=True)
        data = hold(data, transaction.commit(), before, model)


@given(STARTS, st.lists(STEPS, min_size=1, max_size=8), st.lists(st.tuples(st.integers(0), st.integers(0, 255))))
def test_a_damaged_file_gives_an_edit_or_an_error_of_ours(
    start: Model, steps: list[tuple[str, bytes, bytes, bytes]], spots: list[tuple[int, int]]
) -> None:
    data = written({name: sorted(pairs.items()) for name, pairs in start.items()})
    for place, value in spots:
        data[2048 + place % (len(data) - 2048)] = value
    transaction = Transaction(Image.open(memoryview(bytes(data))))
    try:
        for act, name, key, value in steps:
            if act == "create":
                transaction.create_bucket(name)
            elif not transaction.has_bucket(name):
                continue
            elif act == "put":
                transaction.put(name, key, value)
            elif act == "delete":
                transaction.delete(name, key)
            else:
                transaction.clear(name)
        assert transaction.commit().size >= len(data)
    except FormatError:
        assert spots
    except (KeyError, ValueError):  # damage made a bucket a value, or a value a bucket
        assert spots
