"""The real ``bbolt`` finds nothing wrong with edited files, and reads from them what was put there."""

from __future__ import annotations

import random
import subprocess
from typing import TYPE_CHECKING

import pytest
from support import real, samples
from support.bbolt_files import applied, numbered, with_freelist, written

from etcdtool.formats.bbolt.freelist import free_pages
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.bbolt.transaction import Transaction

if TYPE_CHECKING:
    from pathlib import Path


def edited(data: bytes, rng: random.Random, names: list[bytes]) -> bytes:
    image = Image.open(memoryview(data))
    transaction = Transaction(image, free_pages=free_pages(image) if rng.random() < 0.5 else ())
    for _ in range(rng.choice((1, 5, 200))):
        name = rng.choice(names)
        keys = [key for key, _ in transaction.items(name)] if rng.random() < 0.2 else []
        if keys:
            start = rng.randrange(len(keys))
            for key in keys[start : start + rng.choice((1, 30, 2000))]:
                transaction.delete(name, key)
        else:
            key = b"%d" % rng.randrange(5000) + b"k" * rng.choice((0, 0, 300, 5000))
            transaction.put(name, key, bytes(rng.choice((0, 5, 900, 20_000))))
    return applied(data, transaction.commit())


def bbolt(*words: object) -> str:
    done = subprocess.run([real.bbolt(), *map(str, words)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout


@pytest.mark.parametrize("seed", range(12))
def test_the_real_check_finds_nothing_after_edits(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    names = [b"key", b"inline", b"other"]
    data = bytes(written({b"inline": [(b"k", b"v")], b"key": numbered(3000), b"other": numbered(60)}, page_size=4096))
    path = tmp_path / "edited.db"
    for _ in range(3):
        data = edited(with_freelist(data) if rng.random() < 0.3 else data, rng, names)
        path.write_bytes(data)
        assert bbolt("check", path) == "OK\n"
    transaction = Transaction(Image.open(memoryview(data)))
    for name in names:
        ours = sorted(key.hex() for key, _ in transaction.items(name))
        assert sorted(bbolt("keys", "--format", "hex", path, name.decode()).split()) == ours


@pytest.mark.parametrize("name", ["v3/3.6/snapshot.db.gz", "k8s/3.6/snapshot.db.gz", "v3-extra/3.7/empty.db.gz"])
def test_a_server_writes_on_into_an_edited_database(name: str, tmp_path: Path) -> None:
    path = samples.fresh(name, tmp_path)
    data = path.read_bytes()[:-32]
    transaction = Transaction(Image.open(memoryview(data)))
    transaction.put(b"meta", b"a-key-of-ours", b"value")
    path.write_bytes(applied(data, transaction.commit()))
    # opens for writing: loads the free pages, and commits
    real.run(real.program("etcdutl", "3.7"), "hashkv", path, check=True)
    assert bbolt("check", path) == "OK\n"
    assert bbolt("get", path, "meta", "a-key-of-ours").strip() == "value"
