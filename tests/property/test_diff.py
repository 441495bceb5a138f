"""``snapshot diff`` beside two dictionaries, and columns beside the plain twin; damage gives one of our errors."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bbolt_files import written
from support.histories import Entry, compacted, file_of, histories, newest

from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.words import unaligned_words
from etcdtool.model import key_differences
from etcdtool.model.grouping import Keys, equal_strings
from etcdtool.model.key_differences import KeyChange, KeySide
from etcdtool.model.keyvalue_encoding import encode_key_value
from etcdtool.model.revision import pack_revision
from etcdtool.operations.diff import Diff, DiffOptions, diff

PREFIXES = st.sampled_from([None, b"", b"/a/", b"/a/x", b"nothing", b"k"])


def opened(entries: list[Entry], page_size: int = 1024, **marks: int) -> Any:
    return SimpleNamespace(name="file", kind="snapshot", image=file_of(entries, page_size, **marks).image)


@st.composite
def two_histories(draw: st.DrawFn) -> tuple[list[Entry], list[Entry]]:
    """Draw two that have a beginning in common, and at times changed values of the same revision."""
    one, other = draw(histories(odd=True)), draw(histories())
    common = draw(st.integers(0, len(one)))
    start = max([0, *(entry.main for entry in one[:common])])
    rest = [Entry(start + entry.main, entry.sub, entry.key, entry.value) for entry in other]
    return one, one[:common] + rest


def state_by_hand(entries: list[Entry], at: int) -> dict[bytes, Entry]:
    found: dict[bytes, Entry] = {}
    for entry in entries:
        if entry.main <= at:
            found[entry.key] = entry
    return {key: entry for key, entry in found.items() if entry.value is not None}


def changes_by_hand(one: dict[bytes, Entry], other: dict[bytes, Entry]) -> dict[bytes, KeyChange]:
    found = {}
    for key in one.keys() | other.keys():
        before, after = one.get(key), other.get(key)
        if before is None:
            found[key] = KeyChange.ADDED
        elif after is None:
            found[key] = KeyChange.REMOVED
        elif before.value != after.value:
            found[key] = KeyChange.CHANGED
        elif before.main != after.main:
            found[key] = KeyChange.TOUCHED
    return found


def shown(found: Diff, *, touched: bool = True) -> list[Any]:
    def plain(side: KeySide | None) -> Any:
        return None if side is None else (*side[:4], bytes(side.value))

    return [
        (key, change, plain(before), plain(after))
        for key, change, before, after in found.keys.differences(touched=touched)
    ]


def both_engines(one: Any, other: Any, options: DiffOptions) -> Diff:
    found = [diff(one, other, options, engine=engine) for engine in ("columns", "plain")]
    assert shown(found[0]) == shown(found[1])
    for name in ("before", "after", "equal", "section_counts", "own", "others"):
        assert getattr(found[0], name) == getattr(found[1], name)
    assert found[0].keys.counts == found[1].keys.counts
    assert found[0].keys.identical == found[1].keys.identical
    return found[0]


@given(two_histories(), PREFIXES, st.booleans(), st.sampled_from([1024, 4096]))
def test_keys_differ_as_two_dictionaries_do(
    both: tuple[list[Entry], list[Entry]], prefix: bytes | None, metadata: bool, page_size: int
) -> None:
    states = [
        {key: entry for key, entry in state_by_hand(entries, newest(entries)).items() if key.startswith(prefix or b"")}
        for entries in both
    ]
    found = both_engines(opened(both[0]), opened(both[1], page_size), DiffOptions(prefix=prefix, metadata=metadata))
    expected = changes_by_hand(*states)
    listed = shown(found)
    assert [key for key, *_ in listed] == sorted(expected)
    assert {key: change for key, change, *_ in listed} == expected
    for key, _, before, after in listed:
        for state, side in zip(states, (before, after), strict=True):
            assert (state[key].value if key in state else None) == (side[4] if side else None)
    assert [side.keys for side in (found.before, found.after)] == [len(state) for state in states]
    total = found.keys.identical + sum(found.keys.counts[one] for one in KeyChange if one is not KeyChange.ADDED)
    assert total == found.before.keys
    counted = [one for one in expected.values() if metadata or one is not KeyChange.TOUCHED]
    assert found.equal == (not counted)
    assert len(shown(found, touched=False)) == sum(one is not KeyChange.TOUCHED for one in expected.values())


@given(two_histories(), st.data())
def test_at_a_revision_that_both_hold(both: tuple[list[Entry], list[Entry]], data: st.DataObject) -> None:
    cuts = [data.draw(st.integers(1, newest(entries))) for entries in both]
    files = [opened(compacted(entries, cut), finished=cut) for entries, cut in zip(both, cuts, strict=True)]
    ends = [newest(entries) for entries in both]
    asked = data.draw(st.integers(1, max(ends)))
    for options, at in (
        (DiffOptions(revision=asked), asked),
        (DiffOptions(at_common_revision=True), min(ends)),
    ):
        if any(at < cut for cut in cuts) or any(at > end for end in ends):
            for engine in ("columns", "plain"):
                with pytest.raises(EtcdtoolError, match=r"compacted|future"):
                    diff(*files, options, engine=engine)  # type: ignore[misc, arg-type]
            continue
        found = both_engines(files[0], files[1], options)
        expected = changes_by_hand(*(state_by_hand(entries, at) for entries in both))
        assert {key: change for key, change, *_ in shown(found)} == expected
        assert found.sections_count == (ends == [at, at])
        assert found.equal == all(change is KeyChange.TOUCHED for change in expected.values())


def test_a_lease_is_a_difference_of_its_own() -> None:
    def file(lease: int, create: int = 2) -> Any:
        record = encode_key_value(b"key", create, 2, 1, b"value", lease)
        data = bytes(written({b"key": [(pack_revision(2), record)], b"meta": []}))
        return SimpleNamespace(name="file", kind="snapshot", image=Image.open(memoryview(data)))

    found = both_engines(file(0), file(7), DiffOptions())
    assert [change for _, change, *_ in shown(found)] == [KeyChange.LEASED]
    assert not found.equal
    found = both_engines(file(7), file(7, create=1), DiffOptions())
    assert [change for _, change, *_ in shown(found)] == [KeyChange.TOUCHED]
    assert found.equal
    assert not both_engines(file(7), file(7, create=1), DiffOptions(metadata=True)).equal


@given(st.data())
def test_damage_gives_one_answer_from_both(data: st.DataObject) -> None:
    entries = data.draw(histories())
    damaged = bytearray(file_of(entries).image.data)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(2048, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    hurt = SimpleNamespace(name="hurt", kind="snapshot", image=Image.open(memoryview(bytes(damaged))))

    def answer(engine: Any) -> Any:
        try:
            found = diff(opened(entries), hurt, engine=engine)
        except FormatError as error:
            return error.where
        # whatever is wrong was found before: half of an answer is none
        return shown(found), found.equal, found.section_counts

    found = answer("columns")
    assert found == answer("plain")
    assert not isinstance(found, str) or found == "hurt"


@given(st.lists(st.tuples(st.binary(max_size=40) | st.just(b"k" * 1030), st.binary(max_size=3)), max_size=12))
def test_strings_of_two_files_are_compared_by_their_bytes(pairs: list[tuple[bytes, bytes]]) -> None:
    def laid(strings: list[bytes], head: bytes) -> Keys:
        data = memoryview(head + b"".join(strings))
        size = np.array([len(one) for one in strings], dtype=np.int64)
        return Keys(data, unaligned_words(data), len(head) + np.cumsum(size) - size, size)

    left, right = [one for one, _ in pairs], [one[: len(one) - len(end)] + end for one, end in pairs]
    found = equal_strings(laid(left, b""), laid(right, b"behind"))
    assert found.tolist() == [one == other for one, other in zip(left, right, strict=True)]


@given(two_histories())
def test_keys_of_one_hash_are_told_apart(both: tuple[list[Entry], list[Entry]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_differences, "hash_keys", lambda keys: keys.size.astype(np.uint64) << np.uint64(60))
        both_engines(opened(both[0]), opened(both[1]), DiffOptions())
