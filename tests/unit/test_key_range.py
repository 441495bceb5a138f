"""Key ranges: etcd's meaning of the range end, and the mask over columns against plain comparison of bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etcdtool.formats.words import unaligned_words
from etcdtool.model.key_range import KeyRange

# few different bytes and shared beginnings of more than a word, so that ranges and keys meet
TAILS = st.lists(st.sampled_from([0x00, 0x01, 0x61, 0x62, 0xFE, 0xFF]), max_size=10).map(bytes)
KEYS = st.builds(lambda head, tail: head + tail, st.sampled_from([b"", b"/a", b"/registry/pods/"]), TAILS)
RANGES = (
    st.builds(KeyRange.of, KEYS)
    | st.builds(KeyRange.of, KEYS, KEYS)
    | st.builds(KeyRange.prefix, KEYS)
    | st.builds(KeyRange.from_key, KEYS)
    | st.builds(KeyRange.everything)
)


def mask(keys: KeyRange, names: list[bytes], gap: bytes = b"a") -> list[bool]:
    """Lay the names into a file with something between them, and ask for the mask."""
    data = b"".join(gap + name for name in names)
    size = np.array([len(name) for name in names], dtype=np.int64)
    start = np.cumsum(size + len(gap)) - size
    start[size == 0] = 0  # as `Rows` has it
    found: list[bool] = keys.mask(unaligned_words(memoryview(data)), start, size).tolist()
    return found


@given(RANGES, st.lists(KEYS, max_size=12))
@example(KeyRange.prefix(b"\xff" * 9), [b"\xff" * 8, b"\xff" * 9, b"\xff" * 10])
@example(KeyRange.of(b"/registry/pods/a"), [b"/registry/pods/a", b"/registry/pods/a\0", b"/registry/pods/"])
def test_the_mask_is_what_plain_comparison_says(keys: KeyRange, names: list[bytes]) -> None:
    assert mask(keys, names) == [name in keys for name in names]


@given(KEYS.filter(bool), KEYS)
def test_a_prefix_holds_what_begins_with_it(prefix: bytes, name: bytes) -> None:
    assert (name in KeyRange.prefix(prefix)) == name.startswith(prefix)
    assert prefix + name in KeyRange.prefix(prefix)


@given(RANGES, KEYS)
def test_whole_numbers_of_any_width_will_do(keys: KeyRange, name: bytes) -> None:
    words = unaligned_words(memoryview(b"/" + name))
    narrow = np.array([1], dtype=np.uint32), np.array([len(name)], dtype=np.uint32)
    assert keys.mask(words, *narrow).tolist() == [name in keys]


@pytest.mark.parametrize(
    ("keys", "start", "end"),
    [
        (KeyRange.of(b"a"), b"a", b"a\0"),
        (KeyRange.of(b"a", b"c"), b"a", b"c"),
        (KeyRange.of(b"a", b"\0"), b"a", None),
        (KeyRange.prefix(b"a"), b"a", b"b"),
        (KeyRange.prefix(b"a\xff\xff"), b"a\xff\xff", b"b"),
        (KeyRange.prefix(b"\xff\xff"), b"\xff\xff", None),
        (KeyRange.prefix(b""), b"\0", None),
        (KeyRange.from_key(b"a"), b"a", None),
        (KeyRange.from_key(b""), b"\0", None),
        (KeyRange.everything(), b"\0", None),
    ],
)
def test_ends_are_as_a_client_sends_them(keys: KeyRange, start: bytes, end: bytes | None) -> None:
    assert (keys.start, keys.end) == (start, end)


def test_an_end_before_the_start_holds_nothing() -> None:
    names = [b"", b"\0", b"a", b"b", b"c", b"\xff"]
    assert mask(KeyRange.of(b"b", b"a"), names) == [False] * len(names)


def test_no_client_sees_the_empty_key() -> None:
    assert mask(KeyRange.everything(), [b"", b"\0", b"a"]) == [False, True, True]


def test_one_key_is_known_as_such() -> None:
    assert KeyRange.of(b"a").is_one_key
    assert not KeyRange.prefix(b"a").is_one_key
    assert not KeyRange.from_key(b"a").is_one_key


def test_keys_at_the_very_end_of_the_file_are_read() -> None:
    assert mask(KeyRange.prefix(b"/abcdefghij"), [b"/abcdefghijk", b"/abcdefghi"]) == [True, False]
    assert mask(KeyRange.of(b"x", b"z"), [b"y"], gap=b"") == [True]


def test_without_keys_there_is_nothing_to_mask() -> None:
    assert mask(KeyRange.prefix(b"a"), []) == []
