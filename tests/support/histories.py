"""Random histories of a store for tests: what a server writes, as files, and what a compaction leaves of them."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from support.bbolt_files import written

from etcdtool.formats.bbolt.page import Image
from etcdtool.model.keyvalue_encoding import encode_key_value
from etcdtool.model.revision import pack_revision

if TYPE_CHECKING:
    from collections.abc import Sequence

KEYS = st.sampled_from([b"/a/x", b"/a/y", b"/b", b"/registry/pods/default/web-0", b"k" * 1025, b"z"])
VALUES = st.sampled_from([b"v", b"w", b"long" * 100])


@dataclass(frozen=True)
class Entry:
    """A change: of which revision, of which key, and its value, None for a deletion."""

    main: int
    sub: int
    key: bytes
    value: bytes | None

    def pair(self) -> tuple[bytes, bytes]:
        if self.value is None:
            return pack_revision(self.main, self.sub) + b"t", encode_key_value(self.key, 0, 0, 0, b"")
        return pack_revision(self.main, self.sub), encode_key_value(self.key, self.main, self.main, 1, self.value, 7)


@st.composite
def histories(draw: st.DrawFn, *, odd: bool = False) -> list[Entry]:
    """Draw what a server writes; odd ones delete what is deleted, and touch a key twice in a transaction."""
    entries: list[Entry] = []
    alive: set[bytes] = set()
    main = draw(st.integers(0, 2)) if odd else 1
    for _ in range(draw(st.integers(0, 30))):
        main += draw(st.integers(1, 2))
        for sub, key in enumerate(draw(st.lists(KEYS, min_size=1, max_size=4, unique=not odd))):
            delete = draw(st.booleans()) and (odd or key in alive)
            entries.append(Entry(main, sub, key, None if delete else draw(VALUES)))
            (alive.discard if delete else alive.add)(key)
    return entries


def file_of(entries: Sequence[Entry], page_size: int = 1024, **marks: int) -> Any:
    names = {"finished": b"finishedCompactRev", "scheduled": b"scheduledCompactRev"}
    meta = sorted((names[name], pack_revision(revision)) for name, revision in marks.items())
    data = written({b"key": [entry.pair() for entry in entries], b"meta": meta}, page_size=page_size)
    return SimpleNamespace(name="file", image=Image.open(memoryview(bytes(data))))


def newest(entries: Sequence[Entry]) -> int:
    return max([1, *(entry.main for entry in entries)])


def compacted(entries: Sequence[Entry], at: int) -> list[Entry]:
    """Do by hand what a server does: the newest of each key at that revision stays, and what comes after it."""
    last: dict[bytes, Entry] = {}
    for entry in entries:
        if entry.main <= at:
            last[entry.key] = entry
    kept = {entry for entry in last.values() if entry.value is not None or entry.main == at}
    return [entry for entry in entries if entry.main > at or entry in kept]
