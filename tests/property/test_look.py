"""``list``, ``history``, ``changes`` and ``deleted``: by columns, by the plain twin, and by hand on a list."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from support.histories import Entry, compacted, file_of, histories, newest

from etcdtool.errors import EtcdtoolError
from etcdtool.formats.bbolt.page import Image
from etcdtool.model.events import EventKind
from etcdtool.model.key_range import KeyRange
from etcdtool.operations.browse import browse
from etcdtool.operations.changes import changes
from etcdtool.operations.deleted import deleted
from etcdtool.operations.get import get
from etcdtool.operations.history import history
from etcdtool.operations.range_request import RangeRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from etcdtool.formats.engine import Engine
    from etcdtool.model.events import Event

ENGINES: tuple[Engine, ...] = ("columns", "plain")
PREFIXES = st.sampled_from([b"", b"/", b"/a", b"/a/", b"k", b"/nothing"])
NAMES = st.lists(st.sampled_from([b"/", b"a", b"b", b"\xff", b"long-part-of-a-key"]), max_size=9).map(b"".join)


def tell(entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
    """Give each change with the one before it of the same key."""
    before: dict[bytes, Entry] = {}
    told = []
    for entry in entries:
        earlier = before.get(entry.key)
        if entry.value is None:
            gone = None if earlier is None or earlier.value is None else 0
            told.append((EventKind.DELETE, entry.key, entry.main, entry.sub, None, earlier and earlier.main, gone))
        else:
            told.append((EventKind.CREATE, entry.key, entry.main, entry.sub, entry.value, earlier and earlier.main, 0))
        before[entry.key] = entry
    return told


def plain(event: Event) -> tuple[Any, ...]:
    assert event.value_size == len(event.value or b"")
    return (
        event.kind,
        event.key,
        event.revision,
        event.sub,
        event.value,
        event.previous_revision,
        event.missing_versions,
    )


@given(histories(odd=True), PREFIXES, st.data())
def test_changes_and_histories_are_those_of_the_list(entries: list[Entry], prefix: bytes, data: st.DataObject) -> None:
    file, keys, head = file_of(entries), KeyRange.prefix(prefix), newest(entries)
    first = data.draw(st.integers(1, head))
    last = data.draw(st.integers(first, head))
    told = [one for one in tell(entries) if one[1].startswith(prefix)]
    by_key = defaultdict(list)
    for one in told:
        by_key[one[1]].append(one)
    for engine in ENGINES:
        found = changes(file.image, keys, from_revision=first, to_revision=last, with_values=True, engine=engine)
        assert [plain(event) for event in found] == [one for one in told if first <= one[2] <= last]
        of_keys = history(file.image, keys, with_values=True, engine=engine)
        assert {one.key: [plain(event) for event in one.events] for one in of_keys} == by_key
        assert [one.key for one in of_keys] == sorted(by_key)
        assert all(one.exists == (one.events[-1].value is not None) for one in of_keys)


@given(histories(), PREFIXES, st.data())
def test_deleted_keys_are_those_that_are_gone(entries: list[Entry], prefix: bytes, data: st.DataObject) -> None:
    head = newest(entries)
    since, compact = data.draw(st.integers(0, head)), data.draw(st.integers(0, head))
    kept = compacted(entries, compact) if compact else entries
    by_key = defaultdict(list)
    for entry in kept:
        if entry.key.startswith(prefix):
            by_key[entry.key].append(entry)
    gone, again = [], 0
    for key, of_key in sorted(by_key.items()):
        deletions = [entry for entry in of_key if entry.value is None and entry.main >= since]
        if of_key[-1].value is not None:
            again += bool(deletions)
        elif deletions:
            last = of_key[-2] if len(of_key) > 1 else None
            gone.append((key, of_key[-1].main, last and last.main, last and len(last.value or b"")))
    file = file_of(kept, **({"scheduled": compact, "finished": compact} if compact else {}))
    for engine in ENGINES:
        found = deleted(file.image, since, KeyRange.prefix(prefix), engine=engine)
        assert [
            (one.deletion.key, one.deletion.revision, one.last and one.last.revision, one.last and one.last.value_size)
            for one in found
        ] == gone
        assert found.created_again == again
        for one in found:
            assert (one.read_at is not None) == (one.last is not None and one.deletion.revision > max(compact, 1))


def levels_by_hand(names: Sequence[bytes], prefix: bytes, depth: int) -> dict[bytes, tuple[int, int]]:
    levels: dict[bytes, tuple[int, int]] = {}
    for name in sorted(name for name in names if name.startswith(prefix) and name):
        parts = name[len(prefix) + 1 :].split(b"/")
        head = name[: len(prefix) + 1] + b"/".join(parts[:depth])
        level = head + b"/" if len(parts) > depth else name
        keys, size = levels.get(level, (0, 0))
        levels[level] = keys + 1, size + len(name)
    return levels


@given(st.sets(NAMES, max_size=20), NAMES, st.integers(1, 3))
def test_levels_are_what_stands_between_separators(names: set[bytes], prefix: bytes, depth: int) -> None:
    file = file_of([Entry(main, 0, name, b"four") for main, name in enumerate(sorted(names), start=2)])
    expected = levels_by_hand(sorted(names), prefix, depth)
    for engine in ENGINES:
        found = browse(file.image, prefix, depth=depth, engine=engine)
        assert {level.name: (level.keys, level.key_bytes) for level in found.levels} == expected
        assert [level.name for level in found.levels] == sorted(expected)
        assert all(level.value_bytes == 4 * level.keys for level in found.levels)
        assert all(level.is_key == (level.name in names) for level in found.levels)


@given(histories(odd=True), st.integers(0, 40))
def test_both_engines_list_the_same_at_any_revision(entries: list[Entry], revision: int) -> None:
    file = file_of(entries)

    def listed(engine: Engine) -> Any:
        try:
            return browse(file.image, revision=revision, engine=engine)
        except EtcdtoolError as error:
            return error.message

    assert listed("columns") == listed("plain")


@given(histories(), st.data())
def test_any_damage_gives_one_answer_from_both(entries: list[Entry], data: st.DataObject) -> None:
    damaged = bytearray(file_of(entries).image.data)
    for _ in range(data.draw(st.integers(1, 4))):
        # not the metas: without them there is nothing to compare
        damaged[data.draw(st.integers(2048, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    image = Image.open(memoryview(bytes(damaged)), partial=True)
    prefix = data.draw(PREFIXES)
    keys = KeyRange.prefix(prefix)
    asked: list[Callable[[Engine], Any]] = [
        lambda engine: list(get(image, RangeRequest(keys=keys), engine=engine)),
        lambda engine: browse(image, prefix, engine=engine),
        lambda engine: list(history(image, keys, with_values=True, engine=engine)),
        lambda engine: list(changes(image, keys, engine=engine)),
        lambda engine: list(deleted(image, 0, keys, engine=engine)),
    ]
    for ask in asked:
        assert outcome(ask, "columns") == outcome(ask, "plain")


def outcome(ask: Callable[[Engine], Any], engine: Engine) -> Any:
    try:
        return ask(engine)
    except EtcdtoolError as error:
        return type(error)
