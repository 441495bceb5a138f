"""One key by a side index: any history and any request gives what columns give, any record what the parser gives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.histories import KEYS, Entry, file_of, histories

from etcdtool.errors import EtcdtoolError
from etcdtool.model.key_range import KeyRange
from etcdtool.model.keyvalue import KeyValue
from etcdtool.model.keyvalue_encoding import encode_key_value, encode_varint
from etcdtool.operations.get import get
from etcdtool.operations.index_build import build
from etcdtool.operations.index_finder import IndexFinder
from etcdtool.operations.point_get import get_one
from etcdtool.operations.range_request import RangeRequest, SortOrder, SortTarget
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INT64 = st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(0, 300)
BYTES = st.binary(max_size=20) | st.sampled_from([bytes(127), bytes(128), bytes(20_000)])
RECORDS = st.builds(encode_key_value, BYTES, INT64, INT64, INT64, BYTES, INT64)
FIELDS = st.builds(
    lambda tag, number, content: encode_varint(tag) + encode_varint(number) + content,
    st.sampled_from([0x0A, 0x10, 0x18, 0x20, 0x2A, 0x30, 0x38, 0x0D, 0]),
    st.integers(0, 5) | INT64,
    st.binary(max_size=5),
)
LONG_VARINTS = st.integers(1, 11).map(lambda size: b"\x10" + b"\x80" * (size - 1) + b"\x01")
BOUNDS = st.sampled_from([0, 0, 3, 9, 20])
REQUESTS = st.builds(
    RangeRequest,
    keys=st.builds(KeyRange.of, KEYS | st.sampled_from([b"/", b"/a/x\0", b"zz"])),
    revision=st.integers(-1, 70),
    limit=st.integers(-1, 2),
    order=st.sampled_from(SortOrder),
    sort_by=st.sampled_from(SortTarget),
    keys_only=st.booleans(),
    count_only=st.booleans(),
    mod_revision_min=BOUNDS,
    mod_revision_max=BOUNDS,
    create_revision_min=BOUNDS,
    create_revision_max=BOUNDS,
)


def told(ask: Callable[[], Any]) -> Any:
    try:
        answer = ask()
    except EtcdtoolError as error:
        return type(error), str(error)
    return answer if isinstance(answer, KeyValue) else (answer.revision, answer.count, answer.more, list(answer))


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Draw records as they are written, records in pieces, cut, with a byte changed, and fields in any order."""
    message = draw(RECORDS | st.lists(FIELDS | LONG_VARINTS, max_size=5).map(b"".join) | st.binary(max_size=30))
    start, stop = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    cut = bytearray(message[start : len(message) - stop])
    if cut and draw(st.booleans()):
        cut[draw(st.integers(0, len(cut) - 1))] = draw(st.integers(0, 255))
    return draw(st.sampled_from([message, bytes(cut)]))


@given(messages())
def test_a_record_is_read_as_the_generated_parser_reads_it(message: bytes) -> None:
    assert told(lambda: KeyValue.read(message, offset=7)) == told(lambda: KeyValue.parse(message, offset=7))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("point")


@given(histories(odd=True), st.lists(REQUESTS, min_size=1, max_size=12), st.integers(0, 20))
def test_any_history_answers_as_by_a_scan(
    folder: Path, entries: list[Entry], requests: list[RangeRequest], compact: int
) -> None:
    path = folder / "one.db"
    path.write_bytes(bytes(file_of(entries, **({"finished": compact} if compact else {})).image.data))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ETCDTOOL_CACHE_DIR", str(folder))
        with open_database(path) as database, build(database) as index:
            find = IndexFinder(index, database.file)
            for one in requests:
                for request in (one, replace(one, revision=0)):
                    looked_up = told(lambda: get_one(database.image, request, find, engine="columns"))  # noqa: B023
                    assert looked_up == told(lambda: get(database.image, request))  # noqa: B023
