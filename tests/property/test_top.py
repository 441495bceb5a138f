"""``top`` beside a count by hand from the pairs, and columns beside the plain twin; damage gives one of our errors."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.bbolt_files import with_freelist, written
from support.histories import Entry, file_of, histories, newest

from etcdtool.errors import FormatError
from etcdtool.formats.bbolt.division import PackedCount
from etcdtool.formats.bbolt.packer import Packer, joined
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.words import Strings, find_byte, find_last_byte, is_ascii, unaligned_words
from etcdtool.model.grouping import Keys
from etcdtool.model.key_groups import GroupBy, KeyRule, Label, group_of, number_keys
from etcdtool.operations.top import TopOptions, top

PARTS = st.sampled_from(
    [b"registry", b"services", b"specs", b"endpoints", b"pods", b"a.b", b"kube-system", b"", b"x", b"web-0", b"." * 9]
) | st.binary(max_size=12)
KEYS = st.builds(
    lambda lead, parts: lead + b"/".join(parts),
    st.sampled_from([b"", b"/", b"/registry/", b"/registry/services/", b"/openshift.io/", b"//"]),
    st.lists(PARTS, max_size=6),
)
BY = [*GroupBy]


def laid_out(keys: list[bytes]) -> Keys:
    data = memoryview(b"head" + b"".join(keys))
    size = np.array([len(key) for key in keys], dtype=np.int64)
    return Keys(data, unaligned_words(data), 4 + np.cumsum(size) - size, size)


@given(st.lists(KEYS, max_size=20), st.sampled_from(b"/.\0\xff"), st.data())
def test_a_byte_is_found_where_python_finds_it(keys: list[bytes], byte: int, data: st.DataObject) -> None:
    begin = [data.draw(st.integers(0, len(key) + 2)) for key in keys]
    laid = laid_out(keys)
    found = find_byte(laid.words, Strings(laid.start, laid.size), byte, np.array(begin, dtype=np.int64))
    assert found.tolist() == [key.find(bytes([byte]), at) for key, at in zip(keys, begin, strict=True)]


@given(st.lists(KEYS, max_size=20), st.sampled_from(b"/.\0\xff"))
def test_the_last_of_a_byte_and_ascii_are_what_python_says(keys: list[bytes], byte: int) -> None:
    laid = laid_out(keys)
    strings = Strings(laid.start, laid.size)
    assert find_last_byte(laid.words, strings, byte).tolist() == [key.rfind(bytes([byte])) for key in keys]
    assert is_ascii(laid.words, strings).tolist() == [key.isascii() for key in keys]


@given(
    st.lists(KEYS, max_size=20, unique=True),
    st.sampled_from([GroupBy.PREFIX, GroupBy.KEY, GroupBy.KIND, GroupBy.NAMESPACE]),
    st.integers(0, 5),
)
def test_groups_of_keys_are_those_of_the_rule(keys: list[bytes], by: GroupBy, depth: int) -> None:
    rule = KeyRule(by=by, depth=depth)
    found = [number_keys(laid_out(keys), rule, engine=engine) for engine in ("columns", "plain")]
    assert found[0].number.tolist() == found[1].number.tolist()
    assert found[0].leaders.tolist() == found[1].leaders.tolist()
    labels = [rule.label(key) for key in keys]
    assert [labels[row] for row in found[0].leaders.tolist()] == list(dict.fromkeys(labels))


def opened(image: Image, *, trailer: bytes | None = None) -> Any:
    size = len(image.data) + (32 if trailer else 0)
    return SimpleNamespace(name="file", kind="snapshot", size=size, trailer=trailer, image=image)


def label_by_hand(entry: Entry, by: GroupBy) -> str:
    if by is GroupBy.LEASE:
        return "no lease" if entry.value is None else "7"
    if by is GroupBy.SIZE_CLASS:
        if entry.value is None:
            return "deletions"
        return "1 B to 255 B" if len(entry.value) < 256 else "256 B to 1 KiB"
    return text(KeyRule(by=by).label(entry.key))


def text(label: Label) -> str:
    return label.what or label.name.decode()


def by_hand(entries: list[Entry], by: GroupBy) -> dict[str, list[int]]:
    """Give of each group: keys, live keys, revisions, and bytes that are live, historic, deleted."""
    last = {entry.key: entry for entry in entries}
    keys: dict[str, set[bytes]] = {}
    found: dict[str, list[int]] = {}
    for entry in entries:
        label = label_by_hand(entry, by)
        keys.setdefault(label, set()).add(entry.key)
        sums = found.setdefault(label, [0] * 6)
        live = last[entry.key] is entry and entry.value is not None
        place = 3 if live else 5 if entry.value is None else 4
        sums[place] += sum(map(len, entry.pair()))
        sums[1] += live
        sums[2] += 1
    for label, own in keys.items():
        found[label][0] = len(own)
    return found


@given(histories(), st.sampled_from(BY), st.sampled_from([1024, 4096]), st.booleans())
def test_sums_are_those_of_the_pairs(entries: list[Entry], by: GroupBy, page_size: int, listed: bool) -> None:
    data = bytes(file_of(entries, page_size).image.data)
    image = Image.open(memoryview(with_freelist(data) if listed else data + bytes(page_size)))
    database = opened(image, trailer=bytes(32))
    options = TopOptions(rule=KeyRule(by=by), limit=0, sort="group")
    found = top(database, options, engine="columns")
    assert found == top(database, options, engine="plain")
    assert found.accounted == found.file_size == database.size
    assert found.group_count == len(found.groups)
    assert {
        text(group.label): [
            group.amounts.keys,
            group.amounts.live_keys,
            group.amounts.revisions,
            group.amounts.live,
            group.amounts.historic,
            group.amounts.tombstones,
        ]
        for group in found.groups
    } == by_hand(entries, by)
    for limit in (1, 2):
        fewer = top(database, TopOptions(rule=KeyRule(by=by), limit=limit), engine="columns")
        assert fewer.accounted == fewer.file_size
    sizes = sorted((len(entry.value) for entry in entries if entry.value), reverse=True)
    assert [value.size for value in found.large_values] == sizes[:5]
    assert found.revision == newest(entries)


@given(histories(), st.sampled_from(BY), st.sampled_from([b"/a/", b"/a/x", b"nothing", b"/"]))
def test_a_prefix_leaves_the_others_together(entries: list[Entry], by: GroupBy, prefix: bytes) -> None:
    database = opened(file_of(entries).image)
    options = TopOptions(rule=KeyRule(by=by), limit=0, sort="group", prefix=prefix)
    found = top(database, options, engine="columns")
    assert found == top(database, options, engine="plain")
    assert found.accounted == found.file_size
    inside = [entry for entry in entries if entry.key.startswith(prefix)]
    counts = {text(group.label): [group.amounts.keys, group.amounts.revisions] for group in found.groups}
    assert counts == {label: [sums[0], sums[2]] for label, sums in by_hand(inside, by).items()}
    assert found.outside is not None
    assert found.outside.revisions == len(entries) - len(inside)


@given(st.data())
def test_damage_is_refused_by_both_engines_alike(data: st.DataObject) -> None:
    damaged = bytearray(file_of(data.draw(histories())).image.data)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(2048, len(damaged) - 1))] = data.draw(st.integers(0, 255))

    def answer(engine: Any) -> Any:
        try:
            return top(opened(Image.open(memoryview(bytes(damaged)))), engine=engine)
        except FormatError:
            return "format error"

    found = answer("columns")
    assert found == answer("plain")
    if found != "format error":
        assert found.accounted == found.file_size


SIZES = st.sampled_from([1, 20, 200, 900, 2000, 5000])


@given(st.lists(st.tuples(st.integers(1, 40), SIZES), max_size=80), st.sampled_from([1024, 4096]), st.integers(0, 3))
def test_packed_pages_are_counted_as_they_are_written(
    sizes: list[tuple[int, int]], page_size: int, others: int
) -> None:
    pairs = [(number.to_bytes(4, "big") + b"k" * key, bytes(value)) for number, (key, value) in enumerate(sizes)]
    buckets = {b"key": pairs} | {b"bucket %d" % number: pairs[: 2 * number] for number in range(others)}
    count, packer = PackedCount(page_size), Packer(io.BytesIO(), page_size)
    for name, own in buckets.items():
        laid, spans = joined(own)
        target = packer.bucket(name, laid)
        target.add(spans)
        target.finish()
        half = len(own) // 2
        rows = [(spans.size[part], spans.key_size[part]) for part in (slice(half), slice(half, None))]
        count.bucket(name, iter(rows))
    assert count.finish() == packer.finish().high_water_mark


def test_an_empty_database_adds_up() -> None:
    found = top(opened(Image.open(memoryview(bytes(written({}))))))
    assert (found.accounted, found.groups, found.revision) == (found.file_size, (), 1)
    assert group_of(b"", 3) == b""
