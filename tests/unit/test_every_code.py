"""A broken file for each code that no other test has one for, and the proof that together they leave none out."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import samples
from support.bbolt_files import numbered, written
from support.damage_places import Places
from support.v2_log import CLUSTER_ID, History, write_member

from etcdtool.checks import registry
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.raft import HardState
from etcdtool.formats.wal import WalWriter, pack_metadata
from etcdtool.operations.verify_source import verify_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from etcdtool.findings import Report

SNAPSHOT = "v3-extra/3.6/before-defrag.db.gz"
ROOT = Path(__file__).resolve().parents[2]


def report(path: Path) -> Report:
    before = samples.hashes(path)
    found = verify_source(path).report
    assert samples.hashes(path) == before
    return found


def codes(path: Path) -> set[str]:
    return {finding.code for finding in report(path).findings}


@pytest.mark.parametrize("suffix", [".part", ".part.gz", ".PART"])
@pytest.mark.parametrize(
    ("damage", "code", "is_good"),
    [
        (lambda good: good, "container.part-whole", True),
        (lambda good: good[:-32], "container.part-unfinished", False),
        (lambda good: good[:-5000], "container.part-unfinished", False),
        (lambda good: good[:100], "container.part-unfinished", False),
        (lambda good: good[:-1] + b"?", "container.part-unfinished", False),
    ],
)
def test_an_unfinished_save(
    damage: Callable[[bytes], bytes], code: str, *, is_good: bool, suffix: str, tmp_path: Path
) -> None:
    data = damage(samples.unpack(SNAPSHOT).read_bytes())
    path = tmp_path / f"snapshot.db{suffix}"
    path.write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    found = report(path)
    assert found.good is is_good
    assert [one.where for one in found.findings if one.code == code] == [str(path)]
    path.rename(tmp_path / "snapshot.db")
    assert not any(one.startswith("container.part") for one in codes(tmp_path / "snapshot.db"))


def page_fault(kind: str, field: str, value: int, folder: Path) -> Path:
    """Write a number over a field of the last page of a kind."""
    data = bytearray(samples.unpack(SNAPSHOT).read_bytes()[:-32])
    span = Places.of(Image.open(memoryview(bytes(data)))).fields[kind, field][-1]
    data[span.start : span.stop] = value.to_bytes(span.stop - span.start, "little")
    path = folder / "damaged.db"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("fault", "code", "is_good"),
    [
        (("key leaf", "count", 0), "bbolt.page-empty", False),
        (("inline page", "page id", 7), "bbolt.inline-id", True),
        (("key leaf", "flags", 0x80), "revisions.not-checked", False),
    ],
)
def test_fields_of_pages(fault: tuple[str, str, int], code: str, *, is_good: bool, tmp_path: Path) -> None:
    found = report(page_fault(*fault, tmp_path))
    assert code in {one.code for one in found.findings}
    assert found.good is is_good


def test_a_count_that_hides_keys_is_an_error(tmp_path: Path) -> None:
    data = bytearray(written({b"key": numbered(200)}, page_size=1024))
    span = Places.of(Image.open(memoryview(bytes(data)))).fields["key leaf", "count"][3]
    data[span.start] -= 1
    (tmp_path / "hidden.db").write_bytes(data)
    found = report(tmp_path / "hidden.db")
    assert not found.good
    assert "bbolt.element-gap" in {one.code for one in found.findings}


@pytest.mark.parametrize("engine", ["columns", "plain"])
def test_a_count_that_hides_a_whole_bucket_is_an_error(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETCDTOOL_ENGINE", engine)
    data = bytearray(written({b"key": numbered(40)}, page_size=4096))
    (span,) = Places.of(Image.open(memoryview(bytes(data)))).fields["key leaf", "count"]
    data[span.start : span.stop] = bytes(2)
    (tmp_path / "hidden.db").write_bytes(data)
    found = report(tmp_path / "hidden.db")
    assert not found.good
    assert "bbolt.page-empty" in {one.code for one in found.findings}


def test_a_state_that_the_log_lost(tmp_path: Path) -> None:
    history = History().no_op().with_voters(1).put("/a", "1")
    root = write_member(tmp_path, 1, history, commit=3)
    writer = WalWriter(pack_metadata(1, CLUSTER_ID))
    writer.save_snapshot(0, 0)
    for index, entry in enumerate(history.entries, 1):
        writer.save_entry(index, entry.term, entry.data, entry.type)
    writer.save_state(HardState(1, 0, 3))
    writer.save_entry(4, 2, None)
    ((name, data),) = writer.files()
    (root / "member/wal" / name).write_bytes(data)
    assert "wal.state-missing" in codes(root)


def test_every_code_has_a_test_that_makes_it() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r'"([a-z0-9]+\.[a-z0-9-]+)"', text))
    assert registry.BY_CODE.keys() - named == set()
