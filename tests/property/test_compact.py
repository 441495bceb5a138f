"""A compacted file holds what a compaction by hand leaves, by both engines, also where another was not finished."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bbolt_files import written
from support.histories import Entry, compacted, file_of, histories, newest

from etcdtool.formats.bbolt import cursor
from etcdtool.formats.bbolt.page import Image
from etcdtool.model.compaction import rows_kept
from etcdtool.model.history import History
from etcdtool.model.revision import pack_revision
from etcdtool.operations.compact import compact, compact_to_snapshot
from etcdtool.operations.hashkv import RevisionError, hashkv
from etcdtool.operations.shrink import Member

OTHERS = {b"lease": [(b"l" * 8, b"lease")], b"members": [], b"unknown": [(b"k", bytes(2000)), (b"l", b"")]}
META = {b"consistent_index": bytes(7) + b"\x09", b"term": bytes(7) + b"\x02"}


def data_of(entries: list[Entry], marks: dict[str, int]) -> bytes:
    names = {"finished": b"finishedCompactRev", "scheduled": b"scheduledCompactRev"}
    meta = META | {names[name]: pack_revision(at) for name, at in marks.items() if at > 0}
    key = [entry.pair() for entry in entries]
    return bytes(written({b"key": key, b"meta": sorted(meta.items()), **OTHERS}))


def content(data: bytes) -> dict[bytes, list[tuple[bytes, bytes]]]:
    image = Image.open(memoryview(data))
    buckets = cursor.root_buckets(image)
    return {
        name: [(item.key, bytes(item.value)) for item in cursor.iter_items(image, buckets[name])] for name in buckets
    }


@given(histories(), st.data(), st.booleans())
def test_a_compaction_leaves_what_a_server_leaves(entries: list[Entry], data: st.DataObject, in_place: bool) -> None:
    head = newest(entries)
    earlier = data.draw(st.integers(0, head))
    at = data.draw(st.integers(max(earlier, 1), head + 1))
    # a server that was killed has deleted in order of revision, up to some point
    reached = data.draw(st.integers(0, earlier))
    finished = data.draw(st.integers(0, earlier))
    start = [entry for entry in entries if entry.main > reached or entry in compacted(entries, earlier)]
    if finished == earlier:
        start = compacted(entries, earlier)
    source = data_of(start, {"scheduled": earlier, "finished": finished})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "member/snap/db"
        path.parent.mkdir(parents=True)
        path.write_bytes(source)
        target = path if in_place else folder / "out"
        if at > head or (at == earlier and finished == earlier):
            with pytest.raises(RevisionError):
                compact(Member(data_dir=folder), at)
            assert path.read_bytes() == source
            return
        done = compact(Member(data_dir=folder), at) if in_place else compact_to_snapshot(path, target, at)
        found = content(target.read_bytes())
        assert (done.resumed is not None) == (finished < earlier)
        expected = compacted(compacted(start, earlier), at)
        assert found.pop(b"key") == [entry.pair() for entry in expected]
        marks = {b"finishedCompactRev": pack_revision(at), b"scheduledCompactRev": pack_revision(at)}
        assert found.pop(b"meta") == sorted((META | marks).items())
        assert found == OTHERS
        assert (done.revisions_before, done.revisions_removed) == (len(start), len(start) - len(expected))
        whole = file_of(entries, scheduled=at, finished=max(earlier, 0))
        image = Image.open(memoryview(target.read_bytes()))
        assert hashkv(SimpleNamespace(image=image)).hash == hashkv(whole).hash


@given(histories(), st.data())
def test_two_compactions_at_once_are_one_after_the_other(entries: list[Entry], data: st.DataObject) -> None:
    head = newest(entries)
    first = data.draw(st.integers(1, head))
    second = data.draw(st.integers(first, head))
    history = History.read(file_of(entries).image)
    kept = rows_kept(history, [first])
    left = [entry for entry, keep in zip(entries, kept.tolist(), strict=True) if keep]
    twice = rows_kept(History.read(file_of(left).image), [second])
    assert np.array_equal(np.flatnonzero(kept)[twice], np.flatnonzero(rows_kept(history, [first, second])))
