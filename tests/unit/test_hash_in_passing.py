"""The hash in one pass: what it tells by itself, and when it leaves the answer to the history grouped by keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.histories import Entry, file_of

from etcdtool.formats.digest import crc32c, crc32c_joined
from etcdtool.model.compaction import hashed_rows
from etcdtool.model.compactions import open_history
from etcdtool.model.history import History
from etcdtool.operations import hash_in_passing as in_passing
from etcdtool.operations.hashkv import hash_rows, hashkv

if TYPE_CHECKING:
    import random
    from types import SimpleNamespace

    from numpy.typing import NDArray

    from etcdtool.model.grouping import Keys

KEYS, REVISIONS, COMPACTED = 40, 300, 150


def history(rng: random.Random, *, ends_with: bytes | None = b"last") -> list[Entry]:
    """Give puts and deletions, a few keys of which are never touched again after the compaction."""
    entries = []
    for main in range(2, REVISIONS + 2):
        cold = main < COMPACTED and rng.random() < 0.2
        key = b"/%s/%d" % (b"cold" if cold else b"hot", rng.randrange(KEYS))
        entries.append(Entry(main, 0, key, None if rng.random() < 0.1 else b"value %d" % main))
    entries.append(Entry(REVISIONS + 2, 0, b"/end", ends_with))
    return entries


def passed(file: SimpleNamespace, revision: int = 0) -> in_passing.Passed:
    compactions, bucket = open_history(file.image)
    return in_passing.hash_in_passing(file.image, bucket, revision, compactions)


def by_history(file: SimpleNamespace, revision: int) -> int:
    rows = History.read(file.image, engine="plain")
    return hash_rows(rows, np.flatnonzero(hashed_rows(rows, revision, engine="plain")))


def test_checksums_are_joined_as_their_bytes_are(rng: random.Random) -> None:
    for size in (0, 1, 2, 7, 8, 100, 4096, 1 << 20):
        first, second = rng.randbytes(31), rng.randbytes(size)
        assert crc32c_joined(crc32c(first, 0), crc32c(second, 0), size) == crc32c(first + second, 0)


@pytest.mark.parametrize("marks", [{"finished": COMPACTED}, {"scheduled": COMPACTED}], ids=["finished", "pending"])
def test_it_tells_by_itself_above_the_compact_revision(marks: dict[str, int], rng: random.Random) -> None:
    file = file_of(history(rng), **marks)
    for revision in (COMPACTED + 1, COMPACTED + 40, REVISIONS, REVISIONS + 2):
        found = passed(file, revision)
        assert found.last == REVISIONS + 2
        assert found.checksum == by_history(file, revision)
        assert found.checksum is not None
    assert passed(file).checksum == passed(file, REVISIONS + 2).checksum


def test_a_tombstone_at_the_end_does_not_keep_it_from_that(rng: random.Random) -> None:
    file = file_of(history(rng, ends_with=None), finished=COMPACTED)
    assert passed(file).checksum == by_history(file, REVISIONS + 2) is not None


def test_at_the_compact_revision_it_leaves_the_answer_to_the_history(rng: random.Random) -> None:
    file = file_of(history(rng), finished=COMPACTED)
    assert passed(file, COMPACTED).checksum is None
    assert hashkv(file, COMPACTED).hash == by_history(file, COMPACTED)


def test_keys_that_share_a_hash_are_left_to_the_history(rng: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
    def same(keys: Keys) -> NDArray[np.uint64]:
        return np.full(len(keys.start), 7 << 40, dtype=np.uint64)

    monkeypatch.setattr(in_passing, "hash_keys", same)
    file = file_of(history(rng), finished=COMPACTED)
    assert passed(file).checksum is None
    assert hashkv(file).hash == by_history(file, REVISIONS + 2)
