"""Damaged data dirs, and what the real 3.4 server made of each: the same keys, a refusal, or a word of what is lost."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest
from support import faults, samples, v2_answers
from support.cli import invoke
from support.wal_files import frame_offsets, read_segments

from etcdtool.errors import ChecksumError, FormatError
from etcdtool.operations.read_v2 import ReadOptions, V2Data, read_v2

if TYPE_CHECKING:
    from pathlib import Path

    from support.v2_answers import Answer

# variant: exit code, then what the refusal has to say; both sums are in each message about a checksum
REFUSED = {
    "wal-flip-middle": (11, r"wal record at offset 0x1590 in .*0000\.wal: stored [0-9a-f]{8}, computed [0-9a-f]{8}"),
    "wal-flip-crc": (11, r"wal record at offset 0x1590 in .*0000\.wal: stored [0-9a-f]{8}, computed [0-9a-f]{8}"),
    "wal-flip-length": (10, r"wal record at offset 0x1590 in .*0000\.wal: the length field says"),
    "wal-length-tail-256": (10, r"offset 0x2e40 in .*0000\.wal: the length field says 331 bytes, .* has 75"),
    "wal-length-tail-1M": (10, r"offset 0x2e40 in .*0000\.wal: the length field says \d+ bytes, .* has 75"),
    "wal-length-tail-1G": (10, r"offset 0x2e40 in .*0000\.wal: the length field says \d+ bytes, .* has 75"),
    "wal-length-tail-zero": (10, r"offset 0x2e40 in .*0000\.wal: the length field is zero, and a whole record of 75"),
    "wal-flip-last": (11, r"wal record at offset 0x4b28 in .*0000\.wal: stored [0-9a-f]{8}, computed [0-9a-f]{8}"),
    "wal-torn-last": (11, r"wal record at offset 0x4b28 in .*0000\.wal: stored [0-9a-f]{8}, computed [0-9a-f]{8}"),
    "wal-empty": (10, r"wal file in .*0000\.wal: holds no record \(0 bytes\)"),
}
# variant: findings by code and severity, where every key of the good server is there
WHOLE = {
    "good": [],
    "wal-cut-last": [("wal.torn-tail", "warning"), ("v2.tail-of-sole-voter", "note")],
    "wal-cut-clean": [],
    "wal-cut-3": [("v2.tail-of-sole-voter", "note")],
    "snap-flip-newest": [("v2.snap-unreadable", "warning")],
    "snap-flip-all": [("v2.snap-unreadable", "warning")] * 5,
    "snap-flip-crc": [("v2.snap-unreadable", "warning")],
    "snap-cut-newest": [("v2.snap-unreadable", "warning")],
    "snap-empty-newest": [("v2.snap-unreadable", "warning")],
    "snap-missing-all": [],
    "db-missing": [],
    "db-metas-bad": [],
}
# variant: findings, where keys are lost for good; never without a word
INCOMPLETE = {
    "wal-torn-sector": [("wal.torn-tail", "warning")],
    "wal-missing": [("v2.no-log", "warning")],
}


def served() -> dict[str, Answer]:
    """Every node that the good server told of, hidden ones too."""
    (case,) = (case for case in v2_answers.cases() if case.name == "damaged/dirs/good")
    return case.nodes


def check_nodes(data: V2Data, expected: dict[str, Answer]) -> None:
    found = {node.path.decode(): node for node, _ in data.rows()}
    assert sorted(found) == sorted(expected)
    for path, answer in expected.items():
        node = found[path]
        assert v2_answers.agrees(answer, node.value), path
        assert (node.created_index, node.modified_index) == (answer.created_index, answer.modified_index), path


def said(data: V2Data) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity.value) for finding in data.report.findings]


def exported_keys(text: str) -> set[str]:
    return {json.loads(line)["key"] for line in text.splitlines()}


def test_every_recorded_variant_is_tried() -> None:
    assert set(REFUSED) | set(WHOLE) | set(INCOMPLETE) == set(faults.variants())


@pytest.mark.parametrize("name", WHOLE)
def test_nothing_is_missing(name: str, tmp_path: Path) -> None:
    root = faults.variant(name, tmp_path / "in")
    before = samples.hashes(root)
    with read_v2([root], ReadOptions()) as data:
        check_nodes(data, served())
        assert said(data) == WHOLE[name]
    done = invoke("v2", "export", root)
    assert (done.exit_code, exported_keys(done.stdout)) == (0, set(served()))
    assert len(done.stderr.splitlines()) == sum(severity != "note" for _, severity in WHOLE[name])
    done = invoke("convert", root, "-o", tmp_path / "out.db", "-w", "json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["counts"]["nodes"] == len(served())
    assert [finding["code"] for finding in report["findings"]] == [code for code, _ in WHOLE[name]]
    assert invoke("snapshot", "verify", tmp_path / "out.db").exit_code == 0
    assert samples.hashes(root) == before


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_file_offset_and_reason(name: str, tmp_path: Path) -> None:
    exit_code, words = REFUSED[name]
    root = faults.variant(name, tmp_path / "in")
    before = samples.hashes(root)
    with pytest.raises(FormatError, match=words) as caught, read_v2([root], ReadOptions()):
        pass
    assert caught.value.exit_code == exit_code
    if exit_code == 11:
        assert isinstance(caught.value, ChecksumError)
        assert caught.value.stored != caught.value.computed
    for command in (("v2", "export", root), ("v2", "status", root), ("convert", root, "-o", tmp_path / "out.db")):
        done = invoke(*command)
        assert (done.exit_code, done.stdout) == (exit_code, "")
        assert re.search(words, done.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert samples.hashes(root) == before


def test_3_4_starts_with_keys_lost_where_this_refuses() -> None:
    """In these two a server of 3.4 came up and had silently lost acknowledged keys."""
    lost = {name: faults.variants()[name]["server"].get("v2_missing") for name in REFUSED}
    assert sorted(name for name, paths in lost.items() if paths) == ["wal-length-tail-1M", "wal-length-tail-zero"]


@pytest.mark.parametrize("name", INCOMPLETE)
def test_what_is_lost_is_told(name: str, tmp_path: Path) -> None:
    root = faults.variant(name, tmp_path / "in")
    before = samples.hashes(root)
    lost = {path for path in served() if path.startswith("/tail/")} | {"/tail"}  # written behind the newest .snap
    if name == "wal-torn-sector":
        lost = set(faults.variants()[name]["server"]["v2_missing"])
        assert lost == {"/tail/large"}
    with read_v2([root], ReadOptions()) as data:
        if name == "wal-torn-sector":
            check_nodes(data, {path: answer for path, answer in served().items() if path not in lost})
        else:
            assert data.current_index < 82, "where the good server was"
            known = {path: answer for path, answer in served().items() if answer.modified_index <= data.current_index}
            check_nodes(data, known)
            assert set(served()) - set(known) <= lost
        assert said(data) == INCOMPLETE[name]
    done = invoke("v2", "export", root)
    assert done.exit_code == 0
    assert INCOMPLETE[name][0][0] in done.stderr
    done = invoke("convert", root, "-o", tmp_path / "out.db")
    assert done.exit_code == 0
    assert INCOMPLETE[name][0][0] in done.stdout
    assert samples.hashes(root) == before


def test_without_its_wal_3_4_starts_empty_and_this_keeps_the_snap() -> None:
    server = faults.variants()["wal-missing"]["server"]
    assert server["started"]
    assert len(server["v2_missing"]) > 30


def keys_of(root: Path) -> set[str]:
    with read_v2([root], ReadOptions()) as data:
        return {node.path.decode() for node, _ in data.rows()}


def without_segments(tmp_path: Path, *dropped: int) -> Path:
    root = faults.copy_dir(samples.unpack("v2-multiwal/3.4/data.tar.gz"), tmp_path / "multiwal")
    segments = sorted((root / "member/wal").iterdir())
    assert len(segments) == 3
    for number in dropped:
        segments[number].unlink()
    return root


@pytest.mark.parametrize(("dropped", "words"), [((0,), "no file reaches back to index 0"), ((1,), "0001-.*is missing")])
def test_a_missing_segment_is_named(dropped: tuple[int, ...], words: str, tmp_path: Path) -> None:
    root = without_segments(tmp_path, *dropped)
    for command in (("v2", "export", root), ("convert", root, "-o", tmp_path / "out.db")):
        done = invoke(*command)
        assert (done.exit_code, done.stdout) == (10, "")
        assert re.search(words, done.stderr)


@pytest.mark.parametrize("dropped", [(2,), (1, 2)])
def test_a_missing_last_segment_is_noticed(dropped: tuple[int, ...], tmp_path: Path) -> None:
    """Nothing in the files that are left says so, but the last of them is full."""
    root = without_segments(tmp_path, *dropped)
    assert keys_of(root) < keys_of(samples.unpack("v2-multiwal/3.4/data.tar.gz"))
    done = invoke("convert", root, "-o", tmp_path / "out.db")
    assert done.exit_code == 3
    assert "wal.next-file-missing" in done.stdout
    done = invoke("v2", "export", root)
    assert done.exit_code == 3
    assert "error: wal.next-file-missing" in done.stderr
    assert invoke("v2", "status", root).exit_code == 3


def test_an_older_snap_that_the_log_does_not_reach_back_to(tmp_path: Path) -> None:
    """As a member that removed its old WAL files has it: the newest .snap is the only start."""
    root = faults.variant("wal-cut-clean", tmp_path / "in")
    (root / faults.WAL).rename((root / faults.WAL).with_name("0000000000000001-0000000000000050.wal"))
    assert keys_of(root) == set(served())
    faults.flip(root / faults.NEWEST_SNAP, 200)
    with read_v2([root], ReadOptions()) as data:  # the one before it, of index 0x54, will do
        check_nodes(data, served())
        assert said(data) == [("v2.snap-unreadable", "warning")]
        assert "0000000000000054.snap and the WAL behind it" in data.report.findings[0].detail
    faults.flip(root / faults.NEWEST_SNAP.replace("69.snap", "54.snap"), 200)
    done = invoke("v2", "export", root)
    assert (done.exit_code, done.stdout) == (10, "")
    assert "no file reaches back to index 63" in done.stderr
    assert re.search(r"read from 0000000000000002-000000000000003f\.snap on, because of .*69\.snap", done.stderr)


@pytest.mark.parametrize("end", [5520, 0x2E40 - 2000])
def test_a_log_that_ends_before_the_snap(end: int, tmp_path: Path) -> None:
    root = faults.variant("good", tmp_path)
    offsets = [offset for offset in frame_offsets(read_segments(root / "member/wal")[0]) if offset <= end]
    os.truncate(root / faults.WAL, offsets[-1])
    with read_v2([root], ReadOptions()) as data:
        assert ("wal.ends-before-snap", "error") in said(data)
    assert "what came after that is not known" in invoke("v2", "export", root).stderr
    assert invoke("convert", root, "--dry-run").exit_code == 3


def test_a_database_that_knows_of_later_entries(tmp_path: Path) -> None:
    """After etcdctl migrate the database stands at the log's end: a log cut before that has lost entries."""
    root = faults.copy_dir(samples.unpack("v2-migrated/expired/data-migrated.tar.gz"), tmp_path / "in")
    with read_v2([root], ReadOptions()) as data:
        assert said(data) == []
    (segment,) = read_segments(root / "member/wal")
    os.truncate(next((root / "member/wal").glob("*.wal")), frame_offsets(segment)[-8])
    with read_v2([root], ReadOptions()) as data:
        assert ("wal.ends-before-database", "error") in said(data)
    faults.put(root / "member/snap/db", 16, bytes(64))
    faults.put(root / "member/snap/db", 4096 + 16, bytes(64))
    with read_v2([root], ReadOptions()) as data:
        assert ("wal.ends-before-database", "error") not in said(data)
