"""The real ``bbolt`` reads what the writer writes, lists the pages that we see, and finds no fault that we miss."""

from __future__ import annotations

import random
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest
from support import real, samples
from support.bbolt_files import numbered, written

from etcdtool.errors import FormatError
from etcdtool.findings import Severity
from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.bbolt.check import check, pages_in_use
from etcdtool.formats.bbolt.page import Image, PageFlag

if TYPE_CHECKING:
    from pathlib import Path

SECONDS_MAX = 20
FIELDS = [0, 8, 10, 12, 16, 20, 24, 28, 32, 36, 40]


def said(path: Path, verb: str = "check") -> subprocess.CompletedProcess[str]:
    words = [str(real.bbolt()), verb, str(path)]
    return subprocess.run(words, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)


def many_buckets(page_size: int) -> bytearray:
    large_keys = [(b"%05d" % number + b"k" * (30000 if number % 9 == 0 else 2), b"") for number in range(150)]
    buckets = {
        b"empty": [],
        b"inline": [(b"a", b"1"), (b"b", b"")],
        b"key": numbered(3000),
        b"large": [(b"x", b"v" * 300_000), (b"y", b"")],
        b"large-keys": large_keys,
        **{b"more-%03d" % number: [(b"k", bytes(90))] for number in range(120)},
    }
    return written(buckets, page_size=page_size)


@pytest.mark.parametrize("page_size", [1 << shift for shift in (10, 11, 12, 14, 16, 20)])
def test_the_real_check_finds_nothing_in_what_was_written(page_size: int, tmp_path: Path) -> None:
    path = tmp_path / "written.db"
    path.write_bytes(many_buckets(page_size))
    done = said(path)
    assert (done.stdout, done.returncode) == ("OK\n", 0), done


@pytest.mark.parametrize("name", ["v3/3.2/snapshot.db.gz", "v3/3.7/snapshot.db.gz", "k8s/3.6/snapshot.db.gz"])
def test_pages_are_those_that_the_real_tool_lists(name: str, tmp_path: Path) -> None:
    path = samples.fresh(name, tmp_path)
    listed = {}
    for line in said(path, "pages").stdout.splitlines()[2:]:
        page_id, kind, *numbers = line.split()
        if kind in ("leaf", "branch"):
            listed[int(page_id)] = (kind, int(numbers[0]), int(numbers[1]) if len(numbers) > 1 else 0)
    image = Image.open(memoryview(path.read_bytes()))
    buckets = [cursor.root_bucket(image), *cursor.root_buckets(image).values()]
    trees = [columns.walk(image, bucket) for bucket in buckets if bucket.inline is None]
    owned = {page_id for tree in trees for page_id in tree.owned.tolist()}
    assert owned == {first + more for first, (_, _, overflow) in listed.items() for more in range(overflow + 1)}
    for page_id, facts in listed.items():
        page = image.page(page_id)
        assert (PageFlag(page.flags).name.lower(), page.count, page.overflow) == facts


@pytest.mark.parametrize("seed", range(40))
def test_a_file_that_the_real_check_refuses_is_refused(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    data = written({b"b": numbered(400), b"inline": [(b"k", b"v")], b"other": numbered(60)}, page_size=4096)
    page = rng.randrange(2, len(data) // 4096) * 4096
    if rng.random() < 0.5:
        data[page + rng.choice(FIELDS)] ^= 1 << rng.randrange(8)
    else:
        struct.pack_into(
            "<I", data, page + 16 * rng.randrange(1, 12) + rng.choice([0, 4, 8, 12]), rng.randrange(1 << 10)
        )
    path = tmp_path / "damaged.db"
    path.write_bytes(data)
    try:
        is_refused = said(path).returncode != 0
    except subprocess.TimeoutExpired:
        is_refused = True
    try:
        found = [
            finding for finding in check(Image.open(memoryview(bytes(data)))) if finding.severity is Severity.ERROR
        ]
    except FormatError:
        return
    assert found or not is_refused


@pytest.mark.parametrize("name", [name for name in samples.databases() if not name.startswith("damaged")])
def test_pages_in_use_are_those_that_the_real_one_does_not_call_free(name: str) -> None:
    path = samples.unpack(name)
    listed = [line.split() for line in said(path, "pages").stdout.splitlines()[2:]]
    free = sum(1 for cells in listed if cells[1] == "free")
    image = Image.open(memoryview(path.read_bytes()))
    assert image.high_water_mark - pages_in_use(image) == free
