"""hashkv by columns, by the plain twin, and by carrying out compactions on a list: one answer for any history."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.bbolt_files import written
from support.histories import Entry, compacted, file_of, histories, newest

from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.digest import crc32c
from etcdtool.model.compaction import hashed_rows, kept_by_compaction, kept_by_hashkv, rows_after_compaction
from etcdtool.model.history import History
from etcdtool.model.keyvalue_encoding import encode_key_value
from etcdtool.model.revision import pack_revision
from etcdtool.operations.hashkv import RevisionError, hashkv, hashkv_detailed
from etcdtool.operations.hashkv_compare import compare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from etcdtool.formats.engine import Engine


def hash_by_hand(entries: Sequence[Entry], revision: int, compact: int) -> int:
    """Hash what is alive at the revision or lies above the compaction, of a store whose compaction is carried out."""
    alive: dict[bytes, Entry] = {}
    for entry in entries:
        if entry.main <= revision:
            alive[entry.key] = entry
    keep = {entry for entry in alive.values() if entry.value is not None}
    checksum = crc32c(b"key", 0)
    for entry in compacted(entries, compact):
        old = entry.main <= compact
        if entry.main > revision or (old and keep and entry not in keep) or (entry.main == compact and not entry.value):
            continue
        checksum = crc32c(b"".join(entry.pair()), checksum)
    return checksum


@given(histories(), st.data())
def test_a_hash_is_the_same_before_during_and_after_a_compaction(entries: list[Entry], data: st.DataObject) -> None:
    head = newest(entries)
    compact = data.draw(st.integers(1, head))
    revision = data.draw(st.integers(compact, head))
    expected = hash_by_hand(entries, revision, compact)
    done = compacted(entries, compact)
    # a server deletes in order of revision
    reached = data.draw(st.integers(0, compact))
    partly = [entry for entry in entries if entry in done or entry.main > reached]
    for file in (
        file_of(entries, scheduled=compact),
        file_of(partly, scheduled=compact, finished=data.draw(st.integers(0, compact - 1))),
        file_of(done, scheduled=compact, finished=compact),
    ):
        for engine in ("columns", "plain"):
            answer = hashkv(file, revision, engine=engine)
            assert (answer.hash, answer.compact_revision) == (expected, compact)


@given(histories(), st.data())
def test_without_a_compaction_every_entry_is_hashed(entries: list[Entry], data: st.DataObject) -> None:
    revision = data.draw(st.integers(1, newest(entries)))
    expected = crc32c(b"key", 0)
    for entry in entries:
        if entry.main <= revision:
            expected = crc32c(b"".join(entry.pair()), expected)
    for engine in ("columns", "plain"):
        assert hashkv(file_of(entries), revision, engine=engine).hash == expected


@given(histories(odd=True), st.data(), st.sampled_from([1, 2, 3]))
def test_both_engines_keep_the_same_rows_however_odd(
    entries: list[Entry], data: st.DataObject, pages_per_block: int
) -> None:
    head = newest(entries)
    revision, compact = data.draw(st.integers(-1, head)), data.draw(st.integers(0, head))
    marks = data.draw(st.sampled_from(["finished", "scheduled"]))
    image = file_of(entries, **{marks: compact}).image
    columns = History.read(image, pages_per_block=pages_per_block)
    plain = History.read(image, engine="plain")
    for name in ("main", "sub", "tombstone", "start", "size", "key_start", "key_size"):
        assert np.array_equal(getattr(columns, name), getattr(plain, name)), name
    for ask in (kept_by_hashkv, kept_by_compaction, hashed_rows, rows_after_compaction):
        assert np.array_equal(ask(columns, revision), ask(plain, revision, engine="plain")), ask.__name__
    assert both(lambda engine: hashkv(SimpleNamespace(image=image), revision, engine=engine))


@given(
    st.lists(
        st.binary(max_size=12) | st.binary(max_size=6).map(lambda key: encode_key_value(key, 1, 1, 1, b"")), min_size=1
    )
)
def test_both_engines_find_the_same_user_keys(messages: list[bytes]) -> None:
    data = written({b"key": [(pack_revision(number + 1), message) for number, message in enumerate(messages)]})
    image = Image.open(memoryview(bytes(data)))

    def keys(engine: Engine) -> list[bytes]:
        history = History.read(image, engine=engine)
        return [history.key_of(row) for row in range(len(history))]

    assert both(keys)


@given(histories(), st.data())
def test_any_damage_gives_one_answer_from_both(entries: list[Entry], data: st.DataObject) -> None:
    compact = data.draw(st.integers(0, newest(entries)))
    damaged = bytearray(file_of(entries, scheduled=compact).image.data)
    for _ in range(data.draw(st.integers(1, 4))):
        # not the metas: without them there is nothing to compare
        damaged[data.draw(st.integers(2048, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    file = SimpleNamespace(name="file", image=Image.open(memoryview(bytes(damaged)), partial=True))
    whole = file_of(entries)
    assert both(lambda engine: hashkv(file, engine=engine))
    assert both(lambda engine: hashkv_detailed(file, from_revision=2, depth=1, engine=engine))
    assert both(lambda engine: compare([file, whole], engine=engine))


@given(histories(), st.data())
def test_a_comparison_finds_what_was_changed_and_nothing_else(entries: list[Entry], data: st.DataObject) -> None:
    head = newest(entries)
    compacts = [data.draw(st.integers(0, head)) for _ in range(2)]
    other = [entry for entry in entries if data.draw(st.integers(0, 9))]
    top = max(compacts)

    def visible(changes: list[Entry]) -> set[Entry]:
        left = changes if top < 1 else compacted(changes, top)
        return {
            entry for entry in left if entry.main <= min(head, newest(other)) and (entry.value or entry.main != top)
        }

    if newest(other) < top:
        return
    files = [file_of(changes, scheduled=compact) for changes, compact in zip((entries, other), compacts, strict=True)]
    comparison = compare(files, keys_max=1000)
    expected = visible(entries) ^ visible(other)
    assert comparison.equal == (not expected)
    named = {(change.main, change.sub) for found in comparison.differences for change in found.keys}
    assert named == {(entry.main, entry.sub) for entry in expected}
    for found in comparison.differences:
        assert found.first_revision == min(entry.main for entry in expected)
        assert sum(group.revisions for group in found.groups) == found.revisions == len(found.keys)
    assert comparison == compare(files, keys_max=1000, engine="plain")


def both(ask: Callable[[Engine], Any]) -> bool:
    """Tell whether both engines answer alike; an error of ours is an answer, whatever its words."""

    def answer(engine: Engine) -> Any:
        try:
            return ask(engine)
        except FormatError:
            return "format error"
        except RevisionError as error:
            return error.message
        except EtcdtoolError:
            return "error"

    return bool(answer("columns") == answer("plain"))
