"""Columns against the plain twin: the same rows, the same findings, the same status, on good and on damaged bytes.

And against etcd's own rule, written down a second time: the live keys are what is left when every change is applied
to a dictionary.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from support.bbolt_files import written

from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.formats.bbolt.cursor import root_buckets
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.wire import kv_pb2
from etcdtool.model.keyspace import Keyspace, KeyValue, iter_key_values
from etcdtool.model.keyvalue_encoding import encode_key_value
from etcdtool.model.revision import Revision
from etcdtool.model.rows import Rows, iter_rows
from etcdtool.model.schema import BUCKETS
from etcdtool.operations.status import status
from etcdtool.operations.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from etcdtool.model.rows import Engine

Pairs = list[tuple[bytes, bytes]]
INT64 = st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(0, 300)
KEYS = st.sampled_from([b"a", b"b", b"/registry/pods/default/web-0", b"k" * 1025]) | st.binary(max_size=20)
VALUES = st.binary(max_size=30) | st.sampled_from([bytes(130), bytes(3000)])
RECORDS = st.builds(KeyValue, KEYS, INT64, INT64, INT64, VALUES, INT64)


@st.composite
def histories(draw: st.DrawFn) -> Pairs:
    """Draw what a server would write: puts and deletes of a few keys, several to a transaction at times."""
    pairs: Pairs = []
    alive: dict[bytes, tuple[int, int]] = {}
    main = 1
    for _ in range(draw(st.integers(0, 40))):
        main += draw(st.integers(1, 3))
        names = draw(st.lists(KEYS.filter(bool), min_size=1, max_size=3, unique=True))
        for sub, name in enumerate(names):
            if name in alive and draw(st.booleans()):
                del alive[name]
                pairs.append((bytes(Revision(main, sub, tombstone=True)), encode_key_value(name, 0, 0, 0, b"")))
            else:
                create, version = alive.get(name, (main, 0))
                alive[name] = create, version + 1
                lease = draw(st.sampled_from([0, 1001, (1 << 63) - 1]))
                record = encode_key_value(name, create, main, version + 1, draw(VALUES), lease)
                pairs.append((bytes(Revision(main, sub)), record))
    return pairs


@st.composite
def odd_messages(draw: st.DrawFn) -> bytes:
    """Draw messages that no server writes, though some still parse."""
    record = draw(RECORDS)
    choice = draw(st.integers(0, 4))
    message = bytes(record)
    if choice == 0:
        return draw(st.binary(max_size=40))
    if choice == 1:  # a field twice, so that the last one counts
        return message + bytes(draw(RECORDS))
    if choice == 2:  # a field that is not known
        return message + b"\x3a\x02xy" + bytes(KeyValue(b"", lease=record.lease))
    if choice == 3:  # a number longer than it has to be
        return b"\x0a\x01k\x10\x85\x80\x00\x18\x85\x80\x80\x80\x80\x80\x80\x80\x80\x00"
    return message[: draw(st.integers(0, len(message)))]


MESSAGES = RECORDS.map(bytes) | odd_messages()
ODD_PAIRS = st.dictionaries(
    st.builds(lambda main, sub: bytes(Revision(main, sub)), st.integers(0, 40), st.integers(0, 3))
    | st.builds(lambda main: bytes(Revision(main, 0, tombstone=True)), st.integers(0, 40))
    | st.binary(min_size=1, max_size=20),
    MESSAGES,
    max_size=60,
).map(lambda pairs: sorted(pairs.items()))


def file_of(pairs: Pairs, page_size: int = 1024) -> bytes:
    return bytes(written(dict.fromkeys(BUCKETS, ()) | {b"key": pairs}, page_size=page_size))


def database(data: bytes) -> Any:
    view = memoryview(data)
    return SimpleNamespace(name="file", file=SimpleNamespace(data=view), image=Image.open(view, partial=True))


def plain_form(image: Image, rows: Rows) -> list[tuple[Any, ...]]:
    """Give rows as tuples, keys and values as bytes: where a value lies in its record is each reader's own matter."""
    columns = [
        getattr(rows, name).tolist()
        for name in Rows.__dataclass_fields__
        if name not in {"runs", "key_start", "value_start"}
    ]
    keys, values = (
        [bytes(image.data[at : at + count]) for at, count in zip(start.tolist(), size.tolist(), strict=True)]
        for start, size in ((rows.key_start, rows.key_size), (rows.value_start, rows.value_size))
    )
    return list(zip(*columns, keys, values, strict=True))


def all_rows(data: bytes, engine: Engine, pages_per_block: int = 1) -> Any:
    image = Image.open(memoryview(data))
    rows: list[tuple[Any, ...]] = []
    for block in iter_rows(image, root_buckets(image)[b"key"], engine=engine, pages_per_block=pages_per_block):
        rows.extend(plain_form(image, block))
        joined = b"".join(bytes(image.data[start:stop]) for start, stop in block.runs)
        assert len(joined) == int((block.message_end - block.offset).sum())
    return rows


@given(ODD_PAIRS, st.sampled_from([1, 2, 3]))
def test_rows_are_the_same_however_odd(pairs: Pairs, pages_per_block: int) -> None:
    data = file_of(pairs)
    assert all_rows(data, "columns", pages_per_block) == all_rows(data, "plain")


@given(ODD_PAIRS)
def test_rows_are_what_the_generated_parser_says(pairs: Pairs) -> None:
    image = Image.open(memoryview(file_of(pairs)))
    rows = [row for block in iter_rows(image, root_buckets(image)[b"key"]) for row in parsed_rows(image, block)]
    for (_, message), row in zip(pairs, rows, strict=True):
        record = kv_pb2.KeyValue()
        try:
            record.ParseFromString(message)
        except Exception:  # noqa: BLE001  whatever the parser raises, the row must say that it does not parse
            assert row is None
        else:
            assert row == KeyValue(
                record.key, record.create_revision, record.mod_revision, record.version, record.value, record.lease
            )


def parsed_rows(image: Image, rows: Rows) -> list[KeyValue | None]:
    def cut(start: int, size: int) -> bytes:
        return bytes(image.data[start : start + size])

    return [
        KeyValue(
            cut(rows.key_start[row], rows.key_size[row]),
            int(rows.create_revision[row]),
            int(rows.mod_revision[row]),
            int(rows.version[row]),
            cut(rows.value_start[row], rows.value_size[row]),
            int(rows.lease[row]),
        )
        if rows.parsed[row]
        else None
        for row in range(len(rows))
    ]


@given(histories(), st.sampled_from([1024, 4096]))
def test_live_keys_are_what_a_dictionary_holds(pairs: Pairs, page_size: int) -> None:
    data = file_of(pairs, page_size)
    image = Image.open(memoryview(data))
    moments: dict[int, dict[bytes, KeyValue]] = {}
    alive: dict[bytes, KeyValue] = {}
    for key, message in pairs:
        revision, record = Revision.parse(key), KeyValue.parse(message)
        if revision.tombstone:
            del alive[record.key]
        else:
            alive[record.key] = record
        moments[revision.main] = dict(alive)
    keyspace = Keyspace.read(image)
    for main, expected in moments.items():
        assert list(keyspace.items_at(main)) == [expected[key] for key in sorted(expected)]
    assert keyspace.live_key_count == len(alive)
    assert [bytes(record) for _, record in iter_key_values(image, root_buckets(image)[b"key"])] == [
        message for _, message in pairs
    ]
    orphans = {"leases.orphans"} if any(record.lease for record in alive.values()) else set()  # no lease is defined
    report = verify(database(data))
    assert {finding.code for finding in report.findings} == {"container.no-trailer"} | orphans


@given(histories(), st.data())
def test_any_damage_gives_one_answer_from_both(pairs: Pairs, data: st.DataObject) -> None:
    damaged = bytearray(file_of(pairs))
    for _ in range(data.draw(st.integers(1, 4))):
        # not the metas: without them there is nothing to compare
        damaged[data.draw(st.integers(2048, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    assert same(lambda engine: verify(database(bytes(damaged)), engine=engine))
    assert same(lambda engine: status(database(bytes(damaged)), engine=engine))


@given(ODD_PAIRS)
def test_odd_pairs_give_one_answer_from_both(pairs: Pairs) -> None:
    assert same(lambda engine: verify(database(file_of(pairs)), engine=engine))
    assert same(lambda engine: status(database(file_of(pairs)), engine=engine))


def same(ask: Callable[[Engine], Any]) -> bool:
    """Tell whether both engines answer alike; an error of ours is an answer, whatever its words."""

    def answer(engine: Engine) -> Any:
        try:
            return ask(engine)
        except FormatError:
            return "format error"
        except EtcdtoolError as error:
            return str(error)

    return bool(answer("columns") == answer("plain"))
