#!/usr/bin/env python3
"""Write a snapshot of any number of small revisions with our own writer: what no server should have to be filled for.

The revisions are like those of ``small`` in `bench.make_v3_data`: five to a key, every 101st a delete.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from etcdtool.formats.bbolt.writer import write_database
from etcdtool.model.keyvalue import encode_key_value
from etcdtool.model.revision import Revision

if TYPE_CHECKING:
    from collections.abc import Iterator

PUTS_PER_KEY = 5
DELETE_EVERY = 101
VALUE = (b"0123456789abcdef" * 13)[:200]
BUCKETS = (b"alarm", b"auth", b"authRoles", b"authUsers", b"cluster", b"lease", b"members", b"members_removed")
_CHUNK_SIZE = 8 << 20


def write_snapshot(path: Path, revisions: int) -> None:
    """Write a snapshot with its sha256 trailer."""
    buckets = {name: iter(()) for name in BUCKETS} | {b"key": _entries(revisions), b"meta": iter(_meta(revisions))}
    with path.open("wb") as out:
        write_database(out, buckets)
    digest = hashlib.sha256()
    with path.open("r+b") as file:
        while chunk := file.read(_CHUNK_SIZE):
            digest.update(chunk)
        file.write(digest.digest())


def _meta(revisions: int) -> list[tuple[bytes, bytes]]:
    return [
        (b"confState", b'{"voters":[1],"auto_leave":false}'),
        (b"consistent_index", (revisions + 4).to_bytes(8, "big")),
        (b"storageVersion", b"3.7.0"),
        (b"term", (2).to_bytes(8, "big")),
    ]


def _entries(revisions: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield what the first so many changes of a store leave in bucket ``key``."""
    key_count = max(revisions // PUTS_PER_KEY, 1)
    created = [0] * key_count
    versions = [0] * key_count
    for number in range(revisions):
        place = number % key_count
        main = number + 2  # a store begins at 1
        key = b"/registry/things/namespace-%03d/thing-%08d" % (place % 500, place)
        if number % DELETE_EVERY == DELETE_EVERY - 1 and versions[place]:
            created[place] = versions[place] = 0
            yield bytes(Revision(main, 0, tombstone=True)), encode_key_value(key, 0, 0, 0, b"")
            continue
        versions[place] += 1
        created[place] = created[place] or main
        value = encode_key_value(key, created[place], main, versions[place], VALUE)
        yield b"%b_\0\0\0\0\0\0\0\0" % main.to_bytes(8, "big"), value


def main() -> None:
    """Write one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("revisions", type=int)
    chosen = parser.parse_args()
    started = time.monotonic()
    write_snapshot(chosen.path, chosen.revisions)
    print(f"{chosen.path.stat().st_size:,} bytes, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
