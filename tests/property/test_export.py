"""An export brings any history back byte for byte, by both engines; any lines give a snapshot or an error of ours."""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from support.bbolt_files import written
from support.histories import Entry, histories, newest
from support.mutations import mutated

from etcdtool.errors import EtcdtoolError
from etcdtool.formats.bbolt import cursor
from etcdtool.formats.bbolt.page import Image
from etcdtool.model.key_range import KeyRange
from etcdtool.model.revision import pack_revision
from etcdtool.operations.export import ExportOptions
from etcdtool.operations.export_target import Form, export_to_file
from etcdtool.operations.import_snapshot import import_snapshot
from etcdtool.sources.lines import open_lines


def content(data: bytes) -> dict[bytes, list[tuple[bytes, bytes]]]:
    image = Image.open(memoryview(data))
    return {
        name: [(item.key, bytes(item.value)) for item in cursor.iter_items(image, bucket)]
        for name, bucket in cursor.root_buckets(image).items()
    }


def database_of(data: bytes) -> Any:
    file = SimpleNamespace(check_unchanged=lambda: None)
    return SimpleNamespace(name="file", image=Image.open(memoryview(data)), file=file)


def engine(name: str) -> Any:
    return mock.patch.dict(os.environ, {"ETCDTOOL_ENGINE": name})


@given(histories(odd=True), st.data(), st.sampled_from(["columns", "plain"]))
def test_a_history_comes_back(entries: list[Entry], data: st.DataObject, read_by: str) -> None:
    compacted = data.draw(st.integers(0, newest(entries)))
    meta = [(name, pack_revision(compacted)) for name in (b"finishedCompactRev", b"scheduledCompactRev") if compacted]
    source = bytes(written({b"key": [entry.pair() for entry in entries], b"meta": meta}))
    with tempfile.TemporaryDirectory() as name:
        lines, target = Path(name) / "lines.jsonl", Path(name) / "back.db"
        with engine(read_by):
            export_to_file(database_of(source), lines, Form.JSONL, ExportOptions(history=True))
            with open_lines(lines) as opened:
                import_snapshot(opened, target)
        back = content(target.read_bytes()[:-32])
    assert {name: pairs for name, pairs in back.items() if name in {b"key", b"meta"}} == content(source)


@given(histories(), st.data())
def test_the_engines_export_the_same(entries: list[Entry], data: st.DataObject) -> None:
    database = database_of(bytes(written({b"key": [entry.pair() for entry in entries], b"meta": []})))
    options = ExportOptions(
        keys=data.draw(st.sampled_from([None, KeyRange.prefix(b"/a/"), KeyRange.from_key(b"/b")])),
        revision=data.draw(st.none() | st.integers(1, newest(entries))),
        history=data.draw(st.booleans()),
        only_keys=data.draw(st.booleans()),
    )
    form = data.draw(st.sampled_from([Form.JSONL, Form.CSV]))
    found = []
    with tempfile.TemporaryDirectory() as name:
        for read_by in ("columns", "plain"):
            with engine(read_by):
                export_to_file(database, Path(name) / read_by, form, options)
            found.append((Path(name) / read_by).read_bytes())
    assert found[0] == found[1]


LINES = b"""{"type":"export","form":1,"history":true,"revision":9,"compact_revision":2}
{"type":"user","name":"a","password_hash":"x","roles":["r"],"no_password":false}
{"type":"role","name":"r","permissions":[{"permission":"READ","key":"a","range_end_b64":"AA=="}]}
{"type":"lease","id":"7b","ttl":5,"remaining_ttl":0}
{"type":"member","id":"1","name":"m","peerURLs":["http://a"],"clientURLs":[],"isLearner":false}
{"type":"meta","name":"term","value":3}
{"type":"put","key":"a","value_b64":"/w==","create_revision":2,"mod_revision":2,"sub":0,"version":1,"lease":"7b"}
{"type":"delete","key":"a","mod_revision":3,"sub":1}
{"type":"pair","bucket":"x","key":"a","value":"b"}
"""


@given(st.data())
def test_any_lines_give_a_snapshot_or_an_error_of_ours(data: st.DataObject) -> None:
    text = data.draw(
        st.integers(0, 1 << 32).map(lambda seed: mutated(LINES, random.Random(seed), times=1 + seed % 3))
        | st.binary(max_size=300)
        | st.lists(st.sampled_from(LINES.splitlines()), max_size=12).map(b"\n".join)
    )
    with tempfile.TemporaryDirectory() as name:
        lines, target = Path(name) / "lines.jsonl", Path(name) / "back.db"
        lines.write_bytes(text)
        try:
            with open_lines(lines) as opened:
                import_snapshot(opened, target)
        except EtcdtoolError:
            assert [path.name for path in Path(name).iterdir()] == ["lines.jsonl"]
        else:
            content(target.read_bytes()[:-32])
