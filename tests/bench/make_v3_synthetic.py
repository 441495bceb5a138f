#!/usr/bin/env python3
"""Write a snapshot of any number of small revisions from arrays: no server should have to be filled with so many.

Like ``small`` in `bench.make_v3_data` it holds five puts to each key, of 200 bytes.  The revisions begin where varints
take four bytes, so that all records are of one size; 26 million of them are a file of 8 GB.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from etcdtool.formats.bbolt.cursor import BUCKET_HEADER
from etcdtool.formats.bbolt.page import BUCKET_FLAG, HEADER, LEAF_ELEMENT, PageFlag
from etcdtool.formats.bbolt.writer import branch_table, leaf_table, pack_meta, pack_page
from etcdtool.model.keyvalue_encoding import encode_key_value
from etcdtool.model.revision import Revision
from etcdtool.model.schema import BUCKETS

if TYPE_CHECKING:
    from numpy.typing import NDArray

PAGE_SIZE = 4096
PUTS_PER_KEY = 5
VALUE = (b"0123456789abcdef" * 13)[:200]
FIRST_REVISION = 1 << 21  # of varints of four bytes
MOST = (1 << 28) - FIRST_REVISION
KEY = b"/registry/things/namespace-%03d/thing-%08d"
PAGES_AT_ONCE = 8192
CHILDREN = 100  # of a branch page
_CHUNK_SIZE = 8 << 20


def write_snapshot(path: Path, revisions: int) -> None:
    """Write a snapshot with its sha256 trailer."""
    assert 0 < revisions <= MOST
    with path.open("wb") as out:
        out.seek(2 * PAGE_SIZE)
        first_revisions = _write_leaves(out, revisions)
        root, next_id = _write_branches(out, first_revisions)
        values = {name: _inline(name, revisions) for name in BUCKETS} | {b"key": BUCKET_HEADER.pack(root, 0)}
        parts = [part for name in sorted(values) for part in (name, values[name])]
        body = [leaf_table(parts, BUCKET_FLAG), *parts]
        out.write(pack_page(next_id, PageFlag.LEAF, len(values), body, sum(map(len, body)), page_size=PAGE_SIZE))
        out.seek(0)
        for page_id in (0, 1):
            out.write(
                pack_meta(page_id, page_size=PAGE_SIZE, root=next_id, high_water_mark=next_id + 1, txid=2 + page_id)
            )
    with path.open("r+b") as file:
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK_SIZE):
            digest.update(chunk)
        file.write(digest.digest())


class _Template:
    """One entry, and where its numbers stand in it."""

    def __init__(self) -> None:
        key, main = KEY % (0, 0), FIRST_REVISION
        self.revision = bytes(Revision(main, 0))
        self.message = encode_key_value(key, main, main, 1, VALUE)
        self.size = len(self.revision) + len(self.message)
        key_at = len(self.revision) + self.message.index(key)
        self.namespace_at = key_at + KEY.index(b"%03d")
        self.thing_at = key_at + len(key) - 8
        self.create_at = key_at + len(key) + 1
        self.mod_at = self.create_at + 5
        self.version_at = self.mod_at + 5
        self.per_page = (PAGE_SIZE - HEADER.size) // (LEAF_ELEMENT.size + self.size)

    def entries(self, number: NDArray[np.int64], key_count: int) -> NDArray[np.uint8]:
        """Return the entries of the puts with these numbers, one a row."""
        rows = np.tile(np.frombuffer(self.revision + self.message, dtype=np.uint8), (len(number), 1))
        main, place = number + FIRST_REVISION, number % key_count
        rows[:, :8] = main.astype(">u8").view(np.uint8).reshape(-1, 8)
        rows[:, self.namespace_at : self.namespace_at + 3] = _digits(place % 500, 3)
        rows[:, self.thing_at : self.thing_at + 8] = _digits(place, 8)
        rows[:, self.create_at : self.create_at + 4] = _varints(place + FIRST_REVISION)
        rows[:, self.mod_at : self.mod_at + 4] = _varints(main)
        rows[:, self.version_at] = number // key_count + 1
        return rows


def _digits(number: NDArray[np.int64], width: int) -> NDArray[np.uint8]:
    powers = 10 ** np.arange(width - 1, -1, -1)
    digits: NDArray[np.uint8] = (number[:, None] // powers % 10 + ord("0")).astype(np.uint8)
    return digits


def _varints(number: NDArray[np.int64]) -> NDArray[np.uint8]:
    groups = number[:, None] >> np.array([0, 7, 14, 21]) & 0x7F
    octets: NDArray[np.uint8] = (groups | np.array([0x80, 0x80, 0x80, 0])).astype(np.uint8)
    return octets


def _write_leaves(out: BinaryIO, revisions: int) -> NDArray[np.int64]:
    """Write the leaves from page 2 on; return the number of each one's first put."""
    template = _Template()
    key_count = -(-revisions // PUTS_PER_KEY)
    whole = revisions // template.per_page
    firsts = np.arange(0, revisions, template.per_page)
    for start in range(0, whole, PAGES_AT_ONCE):
        stop = min(start + PAGES_AT_ONCE, whole)
        out.write(_pages(template, np.arange(start, stop), template.per_page, key_count).tobytes())
    if len(firsts) > whole:
        rest = revisions - whole * template.per_page
        out.write(_pages(template, np.array([whole]), rest, key_count).tobytes())
    return firsts


def _pages(template: _Template, places: NDArray[np.int64], count: int, key_count: int) -> NDArray[np.uint8]:
    """Return leaves of so many puts each, one a row."""
    pages = np.zeros((len(places), PAGE_SIZE), dtype=np.uint8)
    head = HEADER.pack(0, PageFlag.LEAF, count, 0) + leaf_table([template.revision, template.message] * count, 0)
    pages[:, : len(head)] = np.frombuffer(head, dtype=np.uint8)
    pages[:, :8] = (places + 2).astype("<u8").view(np.uint8).reshape(-1, 8)
    numbers = (places[:, None] * template.per_page + np.arange(count)).reshape(-1)
    entries = template.entries(numbers, key_count)
    pages[:, len(head) : len(head) + count * template.size] = entries.reshape(len(places), -1)
    return pages


def _write_branches(out: BinaryIO, first_puts: NDArray[np.int64]) -> tuple[int, int]:
    """Write the levels above the leaves; return the root's page id and the next free one."""
    keys = [bytes(Revision(number + FIRST_REVISION, 0)) for number in first_puts.tolist()]
    children = list(range(2, 2 + len(keys)))
    next_id = 2 + len(keys)
    while len(keys) > 1:
        above: list[bytes] = []
        own: list[int] = []
        starts = [*range(0, len(keys) - 1, CHILDREN)]  # the last page takes one more than is left alone
        for start, stop in zip(starts, [*starts[1:], len(keys)], strict=True):
            body = [branch_table(keys[start:stop], children[start:stop]), *keys[start:stop]]
            size = sum(map(len, body))
            out.write(pack_page(next_id, PageFlag.BRANCH, stop - start, body, size, page_size=PAGE_SIZE))
            above.append(keys[start])
            own.append(next_id)
            next_id += 1
        keys, children = above, own
    return children[0], next_id


def _inline(name: bytes, revisions: int) -> bytes:
    pairs = {
        b"meta": {
            b"confState": b'{"voters":[1],"auto_leave":false}',
            b"consistent_index": (revisions + 4).to_bytes(8, "big"),
            b"storageVersion": b"3.7.0",
            b"term": (2).to_bytes(8, "big"),
        }
    }.get(name, {})
    parts = [part for key in sorted(pairs) for part in (key, pairs[key])]
    return b"".join(
        [BUCKET_HEADER.pack(0, 0), HEADER.pack(0, PageFlag.LEAF, len(pairs), 0), leaf_table(parts, 0), *parts]
    )


def main() -> None:
    """Write one file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("revisions", type=int)
    chosen = parser.parse_args()
    started = time.monotonic()
    write_snapshot(chosen.path, chosen.revisions)
    print(f"{chosen.path.stat().st_size:,} bytes, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
