"""Data dirs whose parts do not fit together: every log, ``.snap`` and database is the test's own."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import pytest
from support import samples
from support.bbolt_files import written
from support.cli import invoke
from support.faults import copy_dir, put
from support.processes import locked_as_by_bbolt
from support.v2_log import CLUSTER_ID, History, url_of, write_member
from support.wal_files import frame_offsets, read_segments

from etcdtool.checks import registry
from etcdtool.checks.policy import Policy
from etcdtool.errors import SourceError, UsageError
from etcdtool.findings import Severity
from etcdtool.formats.raft import HardState
from etcdtool.formats.wal import WalWriter, pack_metadata
from etcdtool.model.membership import Member
from etcdtool.model.raft_log import ConfChangeType
from etcdtool.model.schema import BUCKETS
from etcdtool.operations.verify_log import LogCheck
from etcdtool.operations.verify_source import VerifyOptions, verify_source
from etcdtool.sources import locate

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NUMBER = struct.Struct(">Q").pack
FIRST_WAL = "member/wal/0000000000000000-0000000000000000.wal"


def database(
    path: Path,
    index: int,
    *,
    term: int = 1,
    voters: Iterable[int] = (1, 2, 3),
    learners: Iterable[int] = (),
    version: bytes = b"",
) -> Path:
    """Write a database that has applied entries up to ``index``."""
    members = [
        Member(id=number, peer_urls=(url_of(number),), is_learner=number in learners)
        for number in sorted({*voters, *learners})
    ]
    pairs = {member.id: (b"%x" % member.id, member.as_json().encode()) for member in members}
    meta = [(b"consistent_index", NUMBER(index)), (b"term", NUMBER(term))] if index else []
    meta += [(b"storageVersion", version)] if version else []
    buckets = dict.fromkeys(BUCKETS, ()) | {b"members": sorted(pairs.values()), b"meta": sorted(meta)}
    path.write_bytes(written(buckets, page_size=4096))
    return path


def codes(root: Path, options: VerifyOptions | None = None) -> set[str]:
    before = samples.hashes(root)
    report = verify_source(root, options=options or VerifyOptions()).report
    assert samples.hashes(root) == before
    assert all(finding.code in registry.BY_CODE for finding in report.findings)
    return {finding.code for finding in report.findings}


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def history() -> History:
    """Three voters, then v2 and v3 writes: 8 entries."""
    return History().no_op().with_voters(1, 2, 3).put("/a", "1").put("/b", "2").v3_put(b"k", b"v").put("/c", "3")


@pytest.fixture
def member(tmp_path: Path) -> Path:
    root = write_member(tmp_path, 1, history(), commit=8, snap_at=6, voters=(1, 2, 3))
    database(root / "member/snap/db", 8)
    return root


def test_one_that_fits(member: Path) -> None:
    assert codes(member) == set()


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"index": 7}, None),
        ({"index": 0}, None),
        ({"index": 5}, "datadir.index-behind-snap"),
        ({"index": 9}, "wal.ends-before-database"),
        ({"index": 8, "term": 2}, "datadir.term"),
        ({"index": 8, "voters": (1, 2, 3, 4)}, "datadir.zombie-member"),
        ({"index": 8, "voters": (1, 2)}, "datadir.member-missing"),
        ({"index": 8, "voters": (1, 2), "learners": (3,)}, "datadir.learner-flag"),
        ({"index": 8, "voters": ()}, None),
    ],
)
def test_databases_that_do_not(member: Path, facts: dict[str, object], code: str | None) -> None:
    database(member / "member/snap/db", **facts)  # type: ignore[arg-type]
    assert codes(member) == ({code} if code else set())


def test_a_database_ahead_of_the_commit_index(tmp_path: Path) -> None:
    root = write_member(tmp_path, 1, history(), commit=6)
    database(root / "member/snap/db", 7)
    report = verify_source(root).report
    assert [(one.code, one.severity) for one in report.findings] == [("datadir.index-beyond-commit", Severity.NOTE)]


def test_nothing_is_said_of_it_beside_a_running_server(tmp_path: Path) -> None:
    """It writes that an entry is committed with the next one."""
    root = write_member(tmp_path, 1, history(), commit=6)
    path = database(root / "member/snap/db", 7)
    with locked_as_by_bbolt(path):
        assert codes(root, VerifyOptions(live=True)) == set()


def test_a_change_of_members_between_the_database_and_the_commit_index(tmp_path: Path) -> None:
    changed = history().change_members(ConfChangeType.REMOVE_NODE, 3)
    root = write_member(tmp_path, 1, changed, commit=9, snap_at=6, voters=(1, 2, 3))
    for voters, code in [((1, 2, 3), set()), ((1, 2), set()), ((1, 2, 3, 4), {"datadir.zombie-member"})]:
        database(root / "member/snap/db", 8, voters=voters)
        assert codes(root) == code
    database(root / "member/snap/db", 9, voters=(1, 2, 3))
    assert codes(root) == {"datadir.zombie-member"}


def test_a_promotion_that_the_database_missed(tmp_path: Path) -> None:
    log = History().no_op().with_voters(1).change_members(ConfChangeType.ADD_LEARNER_NODE, 2).put("/a", "1")
    root = write_member(tmp_path, 1, log, commit=4)
    database(root / "member/snap/db", 4, voters=(1,), learners=(2,))
    assert codes(root) == set()
    database(root / "member/snap/db", 4, voters=(1, 2))
    assert codes(root) == {"datadir.learner-flag"}


def test_a_removed_member(tmp_path: Path) -> None:
    log = history().change_members(ConfChangeType.REMOVE_NODE, 1)
    root = write_member(tmp_path, 1, log, commit=9)
    database(root / "member/snap/db", 9, voters=(2, 3))
    assert codes(root) == {"datadir.member-removed"}


def test_a_snap_that_names_other_voters(tmp_path: Path) -> None:
    root = write_member(tmp_path, 1, history(), commit=8, snap_at=6, voters=(1, 2))
    database(root / "member/snap/db", 8)
    assert codes(root) == {"datadir.conf-state"}


def test_no_database(member: Path, tmp_path: Path) -> None:
    (member / "member/snap/db").unlink()
    assert codes(member) == {"datadir.database-missing"}
    old = History().no_op().with_voters(1).put("/a", "1")
    assert codes(write_member(tmp_path / "old", 1, old, commit=3)) == {"datadir.v2-only"}


def test_a_database_that_the_leader_has_sent(member: Path) -> None:
    database(member / "member/snap/db", 5)
    received = database(member / "member/snap/0000000000000006.snap.db", 6)
    assert codes(member) == {"datadir.database-received"}
    received.write_bytes(received.read_bytes()[:8192])
    assert "container.cut-short" in codes(member)
    database(member / "member/snap/db", 8)
    assert codes(member) == {"datadir.leftover"}


def test_what_servers_leave_behind(member: Path) -> None:
    for name in ("db.tmp123", "tmp456", "0000000000000001-0000000000000002.snap.broken"):
        (member / "member/snap" / name).write_bytes(b"x")
    (member / "member/wal/0.tmp").write_bytes(b"")  # the next file, allocated in advance
    report = verify_source(member).report
    assert [finding.code for finding in report.findings] == ["datadir.leftover"] * 3


def test_snap_files(member: Path) -> None:
    (snap,) = (member / "member/snap").glob("*.snap")
    data = snap.read_bytes()
    other = snap.with_name("0000000000000001-0000000000000007.snap")
    snap.rename(other)
    assert codes(member) == {"snap.name"}
    other.rename(snap)
    snap.unlink()
    assert codes(member) == {"snap.missing"}
    snap.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert codes(member) == {"snap.unreadable", "snap.missing"}


def test_bytes_of_a_snap_that_no_checksum_covers(member: Path) -> None:
    (snap,) = (member / "member/snap").glob("*.snap")
    data = snap.read_bytes()
    assert data[5] & 0x80 == 0, "the last byte of the checksum"
    for other in (data + b"\x18\x01", data[:5] + bytes([data[5] | 0x10]) + data[6:]):  # a field, a bit of no number
        snap.write_bytes(other)
        assert codes(member) == {"snap.layout"}


def test_a_snap_that_the_log_does_not_know(member: Path, tmp_path: Path) -> None:
    newer = write_member(tmp_path / "newer", 1, history(), commit=8, snap_at=7, voters=(1, 2, 3))
    (snap,) = (newer / "member/snap").glob("*.snap")
    snap.rename(member / "member/snap" / snap.name)
    assert codes(member) == {"snap.not-in-log"}


def test_a_snap_without_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etcdtool.model.store_v2.Store.dump_json", lambda _: b"{")
    root = write_member(tmp_path, 1, history(), commit=8, snap_at=6, voters=(1, 2, 3))
    database(root / "member/snap/db", 8)
    assert codes(root) == {"snap.store-unreadable"}


def test_logs_without_a_start(tmp_path: Path) -> None:
    root = copy_dir(samples.unpack("v2-multiwal/3.4/data.tar.gz"), tmp_path / "copy")
    first, *_ = sorted((root / "member/wal").glob("*.wal"))
    first.unlink()
    assert codes(root) == {"snap.no-start"}


def log_in_two_files() -> WalWriter:
    """Write a log whose second file begins behind index 5 and records a snapshot at 6."""
    writer, log = WalWriter(pack_metadata(1, CLUSTER_ID)), history()
    for index, entry in enumerate(log.entries, 1):
        writer.save_entry(index, entry.term, entry.data, entry.type)
        if index == 5:
            writer.save_state(HardState(1, 0, 5))
            writer.cut()
        if index == 6:
            writer.save_snapshot(6, 1)
    writer.save_state(HardState(1, 0, 8))
    return writer


@pytest.mark.parametrize(
    ("version", "found"),
    [
        (b"", {"snap.missing", "snap.no-start"}),
        (b"3.6.0", {"snap.missing", "snap.no-start"}),
        (b"3.7.0", {"snap.record-alone"}),
        (b"3.8.0", {"snap.record-alone", "meta.version-newer"}),
    ],
)
def test_servers_that_need_no_snap(version: bytes, found: set[str], tmp_path: Path) -> None:
    """From 3.7 on they start from the log's record of one."""
    root = tmp_path / "m.etcd"
    (root / "member/wal").mkdir(parents=True)
    (root / "member/snap").mkdir()
    (_, (name, data)) = log_in_two_files().files(allocated_size=1 << 16)
    (root / "member/wal" / name).write_bytes(data)
    database(root / "member/snap/db", 8, version=version)
    assert codes(root) == found
    answer = json.loads(invoke("v2", "check", root, "-w", "json").stdout)
    outlooks = answer["etcd"]
    hints = [one["hint"] for one in answer["findings"] if one["code"] == "boot.storage-version"]
    assert ["etcdtool migrate" in hint for hint in hints] == {b"3.7.0": [True], b"3.8.0": [False] * 2}.get(version, [])
    assert ["snap.no-start" in outlooks[server]["others"] for server in ("3.6", "3.7")] == [True, False]


def test_damage_where_no_server_looks(member: Path) -> None:
    writer = log_in_two_files()
    (member / FIRST_WAL).unlink()
    for name, data in writer.files():
        (member / "member/wal" / name).write_bytes(data)
    assert codes(member) == set()
    flip(member / FIRST_WAL, 100)
    assert codes(member) == {"wal.damaged-before"}
    (member / FIRST_WAL).unlink()
    assert codes(member) == set(), "servers delete old files"


def test_every_bit_of_the_log_is_looked_at(tmp_path: Path) -> None:
    root = write_member(tmp_path, 1, History().no_op().with_voters(1).put("/a", "1"), commit=3)
    database(root / "member/snap/db", 3, voters=(1,))
    assert codes(root) == set()
    wal = root / FIRST_WAL
    good = wal.read_bytes()
    for offset in range(len(good.rstrip(b"\0"))):
        for bit in range(8):
            wal.write_bytes(good[:offset] + bytes([good[offset] ^ 1 << bit]) + good[offset + 1 :])
            assert verify_source(root).report.findings, (offset, bit)


def test_the_type_of_every_record_is_looked_at_before_the_newest_snap_too(tmp_path: Path) -> None:
    # no checksum covers it: a state taken for an entry and an entry taken for a state must show in what they say
    root = copy_dir(samples.unpack("damaged/dirs/good.tar.gz"), tmp_path / "copy")
    wal = root / FIRST_WAL
    (segment,) = read_segments(wal.parent)
    offsets = frame_offsets(segment)
    good = bytes(segment.data[: offsets[-1] + 64])
    wal.write_bytes(good)
    parts = locate(root)
    assert parts is not None
    for offset in offsets[:-1:3]:
        for bit in range(7):
            put(wal, offset + 9, bytes([good[offset + 9] ^ 1 << bit]))
            log = LogCheck(parts=parts)
            log.read()
            assert log.findings, (offset, bit)
        put(wal, offset + 9, good[offset + 9 : offset + 10])


@pytest.mark.parametrize("offset", [12, 13, 14, 15])
def test_padding_that_is_not_zero(member: Path, offset: int) -> None:
    flip(member / FIRST_WAL, offset)
    assert codes(member) == {"wal.layout"}


def test_no_log(member: Path, tmp_path: Path) -> None:
    apart = tmp_path / "apart"
    (member / "member/wal").rename(apart)
    assert codes(member) == {"wal.not-there"}
    assert codes(member, VerifyOptions(wal_dir=apart)) == set()
    with pytest.raises(UsageError, match="goes with a data dir"):
        verify_source(member / "member/snap/db", options=VerifyOptions(wal_dir=apart))
    with pytest.raises(SourceError, match="is no folder"):
        verify_source(member, options=VerifyOptions(wal_dir=tmp_path / "nowhere"))


def test_a_file_among_the_log_that_is_none(member: Path) -> None:
    (member / "member/wal/copy.wal").write_bytes(b"x")
    assert codes(member) == {"wal.file-ignored"}


def test_an_entry_at_which_servers_stop(tmp_path: Path) -> None:
    log = history()
    log._add(b"\xff\xff")
    root = write_member(tmp_path, 1, log, commit=9)
    database(root / "member/snap/db", 8)
    assert codes(root) == {"wal.entry-unreadable"}


def test_the_cluster_id_of_the_log(member: Path) -> None:
    assert codes(member, VerifyOptions(policy=Policy(cluster_id=CLUSTER_ID))) == set()
    assert codes(member, VerifyOptions(policy=Policy(cluster_id=5))) == {"policy.cluster-id"}


def test_quick_reads_the_log_too(member: Path) -> None:
    assert codes(member, VerifyOptions(quick=True)) == {"verify.skipped"}
    flip(member / FIRST_WAL, 100)
    assert "wal.damaged" in codes(member, VerifyOptions(quick=True))
