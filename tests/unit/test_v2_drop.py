"""``etcdtool v2 drop`` on a real data dir of 3.5: what it adds, what it leaves, what it refuses."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from support import faults, samples, v2_log
from support.bbolt_files import written
from support.cli import invoke
from support.processes import locked_as_by_bbolt
from support.v2_log import History, url_of, write_member

from etcdtool.formats.digest import crc32c
from etcdtool.formats.snap import parse_snap_file
from etcdtool.formats.wal import RecordType, Segment, scan
from etcdtool.formats.wal.records import pack_frame
from etcdtool.formats.wire import raft_pb2
from etcdtool.model.membership import Member
from etcdtool.model.store_v2 import Store, cluster_version, members
from etcdtool.operations.v2_drop_content import holds_more_than_members

if TYPE_CHECKING:
    from support.cli import Outcome

HIDDEN = "upgrade/v2-hidden-only/data.tar.gz"
WAL = "member/wal/0000000000000000-0000000000000000.wal"
FRAME = 40


def drop(*words: object) -> Outcome:
    return invoke("v2", "drop", *words)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return faults.copy_dir(samples.unpack(HIDDEN), tmp_path / "m.etcd")


def convert(data_dir: Path, folder: Path, *words: object, name: str = "report.json") -> Path:
    target = ("-o", folder / f"{name}.jsonl") if "-o" not in words and "--dry-run" not in words else ()
    done = invoke("convert", data_dir, "--drop-expired", "--report-file", folder / name, *target, *words)
    assert done.exit_code == 0, done.stderr
    return folder / name


@pytest.fixture
def report(data_dir: Path, tmp_path: Path) -> Path:
    return convert(data_dir, tmp_path)


def head(path: Path) -> bytes:
    """Give the written part of a log, whose rest is a hole."""
    with path.open("rb") as file:
        return file.read(1 << 20).rstrip(b"\0")


def in_json(*words: object) -> dict[str, Any]:
    done = drop(*words, "-w", "json")
    assert done.exit_code == 0, done.stderr
    (member,) = json.loads(done.stdout)["members"]
    return dict(member)


def log_of(data_dir: Path) -> Any:
    path = data_dir / WAL
    return scan([Segment.named(path.name, memoryview(path.read_bytes()))])


def test_it_is_refused_as_long_as_no_report_covers_what_is_there(data_dir: Path) -> None:
    before = samples.hashes(data_dir)
    done = drop(data_dir)
    assert done.exit_code == 3
    assert "holds v2 data: 17 keys and 16 directories, 33 of them hidden (/_etcd, /_etcd/registry, " in done.stderr
    assert "--report" in done.stderr
    assert "--discard" in done.stderr
    assert samples.hashes(data_dir) == before


@pytest.mark.parametrize("how", ["report", "discard"])
def test_it_adds_a_file_and_a_record_and_changes_nothing_else(how: str, data_dir: Path, report: Path) -> None:
    before, log = samples.hashes(data_dir), (data_dir / WAL).read_bytes()
    base = max((data_dir / "member/snap").glob("*.snap"))
    kept = Store.recover(parse_snap_file(memoryview(base.read_bytes())).data)
    added = in_json(data_dir, *(("--report", report) if how == "report" else ("--discard",)))
    after = samples.hashes(data_dir)
    name = str(added["snap"]).removeprefix(f"{data_dir}/")
    assert after.keys() - before.keys() == {name}
    assert {path for path in before if after[path] != before[path]} == {WAL}
    changed, offset, size = (data_dir / WAL).read_bytes(), added["offset"], added["size"]
    assert changed[:offset] == log[:offset]
    assert changed[offset + size :] == log[offset + size :]
    assert log[offset:] == bytes(len(log) - offset)

    snap = parse_snap_file(memoryview((data_dir / name).read_bytes()))
    (record,) = [one for one in log_of(data_dir).snapshots if one.index == snap.index]
    assert (snap.index, snap.term) == (record.index, record.term) == (added["raft_index"], added["raft_term"])
    assert snap.conf_state == record.conf_state
    store = Store.recover(snap.data)
    assert not holds_more_than_members(store)
    assert members(store) == members(kept)
    assert snap.conf_state.voters == tuple(members(kept))
    assert cluster_version(store) == "3.5.0"
    assert invoke("verify", data_dir).exit_code == 0
    assert invoke("v2", "check", data_dir).exit_code == 0
    assert invoke("v2", "list", data_dir).exit_code == 3

    done = drop(data_dir)
    assert (done.exit_code, "nothing to drop" in done.stdout) == (0, True)
    assert samples.hashes(data_dir) == after


def test_a_kill_matters_only_where_something_is_to_be_dropped(tmp_path: Path) -> None:
    """The database is ahead of the commit index then, and so would be the record."""
    member = Member(id=1, peer_urls=(url_of(1),))
    pairs = [(b"consistent_index", (2).to_bytes(8, "big")), (b"term", (1).to_bytes(8, "big"))]
    buckets = {b"members": [(b"1", member.as_json().encode())], b"meta": pairs}
    answers = []
    for name in ("v3", "v2"):
        history = History().with_voters(1)
        history = history.v3_put(b"k", b"v") if name == "v3" else history.put("/k", "v")
        made = write_member(tmp_path / name, 1, history, commit=1)
        (made / "member/snap/db").write_bytes(written(buckets, page_size=4096))
        done = drop(made, "--discard")
        answers.append((done.exit_code, done.stdout.count("nothing to drop"), "has committed 1 only" in done.stderr))
    assert answers == [(0, 1, False), (3, 0, True)]


def test_a_dry_run_says_the_same_and_writes_nothing(data_dir: Path, report: Path) -> None:
    before = samples.hashes(data_dir)
    planned = in_json(data_dir, "--report", report, "--dry-run")
    assert samples.hashes(data_dir) == before
    done = in_json(data_dir, "--report", report)
    assert planned.pop("result") == "would be dropped"
    assert done.pop("result") == "dropped"
    assert planned == done


@pytest.mark.parametrize("form", ["simple", "table", "fields"])
def test_every_form_names_the_index_and_the_place(form: str, data_dir: Path) -> None:
    planned = in_json(data_dir, "--discard", "--dry-run")
    done = drop(data_dir, "--discard", "--dry-run", "-w", form)
    assert done.exit_code == 0
    assert {str(planned["raft_index"]), str(planned["offset"])} <= set(done.stdout.replace(",", " ").split())


def test_a_report_must_be_of_this_tree(data_dir: Path, tmp_path: Path) -> None:
    before = samples.hashes(data_dir)
    other = convert(samples.unpack("v2-rich/3.4/data-clean.tar.gz"), tmp_path)
    done = drop(data_dir, "--report", other)
    assert (done.exit_code, "of another v2 tree" in done.stderr) == (3, True)
    # it would be a mistake even where nothing has to be kept
    assert drop(data_dir, "--report", other, "--discard").exit_code == 3
    both = drop(data_dir, "--report", convert(data_dir, tmp_path, name="own.json"), "--report", other)
    assert (both.exit_code, "of another v2 tree than the report before it" in both.stderr) == (3, True)
    assert samples.hashes(data_dir) == before


def test_a_report_must_prove_something(data_dir: Path, tmp_path: Path) -> None:
    dry = convert(data_dir, tmp_path, "--dry-run")
    piped = convert(data_dir, tmp_path, "-o", "-", name="piped.json")
    for path in (dry, piped):
        done = drop(data_dir, "--report", path)
        assert (done.exit_code, "nothing was read back" in done.stderr) == (3, True)
    whole = json.loads(convert(data_dir, tmp_path, name="whole.json").read_text())
    for name, change in {
        "sum": {"counts": {**whole["counts"], "adds_up": False}},
        "error": {"findings": [{"severity": "error"}]},
        "old": {"tree_digest": ""},
    }.items():
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({**whole, **change}))
        done = drop(data_dir, "--report", path)
        assert (done.exit_code, "does not show that the v2 keys were converted" in done.stderr) == (3, True)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "etcdtool.salvage/1"}', '{"schema": 5}', "[" * 5000])
def test_what_is_no_report_is_named(text: str, data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(text)
    done = drop(data_dir, "--report", tmp_path / "r.json")
    assert (done.exit_code, "conversion report in" in done.stderr) == (10, True)


def test_what_a_prefix_leaves_out_is_named_and_covered_by_a_second_report(data_dir: Path, tmp_path: Path) -> None:
    tokens = json.loads(invoke("v2", "list", data_dir, "-w", "json").stdout)["nodes"]
    first = next(node["key"] for node in tokens if node["key"].count("/") == 3 and node["key"].startswith("/_etcd/r"))
    others = sorted({node["key"] for node in tokens if node["key"].count("/") == 3} - {first})
    one = convert(data_dir, tmp_path, "--prefix", first, "-c", "keys")
    done = drop(data_dir, "--report", one)
    assert (done.exit_code, "the report leaves out" in done.stderr) == (3, True)
    assert "/_etcd" in done.stderr
    more = []
    for number, other in enumerate(["/_etcd", *others]):
        more += ["--report", convert(data_dir, tmp_path, "--prefix", other, "-c", "keys", name=f"{number}.json")]
    assert drop(data_dir, "--report", one, *more, "--dry-run").exit_code == 0


def lengthen(log: Path, distance: int) -> None:
    """Append states, as raft does at every commit, until so many bytes are left in a sector."""
    found = scan([Segment.named(log.name, memoryview(log.read_bytes()))])
    state = found.hard_state
    data = raft_pb2.HardState(term=state.term, vote=state.vote, commit=state.commit).SerializeToString()
    offset, crc = found.end_offset, found.crc
    while -offset % 512 != distance:
        crc = crc32c(data, crc)
        frame = pack_frame(RecordType.STATE, data, crc)
        faults.put(log, offset, frame)
        offset += len(frame)


def append(log: Path, *requests: bytes) -> None:
    """Append entries that nothing has committed, as of a leader whom the others have left."""
    found = scan([Segment.named(log.name, memoryview(log.read_bytes()))])
    offset, crc = found.end_offset, found.crc
    for index, request in enumerate(requests, found.last_index + 1):
        entry = raft_pb2.Entry(Type=0, Term=found.last_term, Index=index, Data=request)
        data = entry.SerializeToString()
        crc = crc32c(data, crc)
        frame = pack_frame(RecordType.ENTRY, data, crc)
        faults.put(log, offset, frame)
        offset += len(frame)


@pytest.mark.parametrize(
    ("methods", "told"),
    [
        (("SYNC", "SYNC"), True),
        (("PUT", "SYNC"), True),
        (("QGET",), False),
        (("SYNC", "PUT"), True),
        (("PUT",), False),
    ],
)
def test_what_the_leader_writes_for_keys_with_a_ttl_is_explained(
    methods: tuple[str, ...], told: bool, data_dir: Path
) -> None:
    append(data_dir / WAL, *(v2_log.v2_request(method, "") for method in methods))
    done = drop(data_dir, "--discard")
    assert (done.exit_code, f" {methods[0]}" in done.stderr) == (3, True)
    assert ("at the same moment, or delete the keys with a TTL" in done.stderr) == told


# as many bytes of the record behind its length field as were written, and how many before them were not
@pytest.mark.parametrize(("stop", "skipped"), [(FRAME, 0), (9, 0), (20, 0), (FRAME, 8)])
def test_an_unfinished_record_is_completed(stop: int, skipped: int, data_dir: Path, tmp_path: Path) -> None:
    """What a kill or a power failure can leave, which a sector's end divides."""
    lengthen(data_dir / WAL, 16)
    whole = faults.copy_dir(data_dir, tmp_path / "whole")
    added = in_json(whole, "--discard")
    assert added["size"] == FRAME
    frame = head(whole / WAL)[added["offset"] :].ljust(FRAME, b"\0")
    left = bytes(8 + skipped) + frame[8 + skipped : stop]
    for name, is_there in (("snap", True), ("none", False)):
        other = faults.copy_dir(data_dir, tmp_path / name)
        if is_there:
            faults.copy_sparse(added["snap"], other / "member/snap" / Path(added["snap"]).name)
        faults.put(other / WAL, added["offset"], left)
        assert drop(other, "--discard").exit_code == 0
        assert head(other / WAL) == head(whole / WAL)
        assert (other / WAL).stat().st_size == (data_dir / WAL).stat().st_size


def test_a_snap_that_the_log_does_not_know_hides_nothing(data_dir: Path) -> None:
    """A kill between the two writes: whoever reads v2 keys still finds them all."""
    before = invoke("v2", "export", data_dir).stdout
    added = in_json(data_dir, "--discard")
    assert invoke("v2", "export", data_dir).exit_code == 3
    faults.put(data_dir / WAL, added["offset"], bytes(added["size"]))
    assert invoke("v2", "export", data_dir).stdout == before != ""


def test_foreign_bytes_in_the_place_of_the_record_are_left_alone(data_dir: Path) -> None:
    offset = in_json(data_dir, "--discard", "--dry-run")["offset"]
    faults.put(data_dir / WAL, offset + 12, b"something else")
    before = samples.hashes(data_dir)
    done = drop(data_dir, "--discard")
    assert (done.exit_code, "wal.data-after-end" in done.stderr) == (10, True)
    assert samples.hashes(data_dir) == before


def test_an_end_that_is_not_ours_is_left_to_the_server(data_dir: Path) -> None:
    lengthen(data_dir / WAL, 8)
    offset = in_json(data_dir, "--discard", "--dry-run")["offset"]
    faults.put(data_dir / WAL, offset, (48).to_bytes(8, "little"))  # of a record whose rest never came
    before = samples.hashes(data_dir)
    done = drop(data_dir, "--discard")
    assert (done.exit_code, "ends in an incomplete write" in done.stderr) == (3, True)
    assert samples.hashes(data_dir) == before


def test_a_log_without_allocated_space_grows(data_dir: Path) -> None:
    added = in_json(data_dir, "--discard", "--dry-run")
    os.truncate(data_dir / WAL, added["offset"])
    assert in_json(data_dir, "--discard")["offset"] == added["offset"]
    assert (data_dir / WAL).stat().st_size == added["offset"] + added["size"]
    assert invoke("verify", data_dir).exit_code == 0


def test_the_record_may_be_what_fills_a_file(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server goes on to another file when entries have filled one, and not for the record of a snapshot."""
    size = "etcdtool.operations.v2_log_end.SEGMENT_SIZE"
    offset = in_json(data_dir, "--discard", "--dry-run")["offset"]
    monkeypatch.setattr(size, offset)
    done = drop(data_dir, "--discard")
    assert (done.exit_code, "the file is full, so there was another one" in done.stderr) == (3, True)
    monkeypatch.setattr(size, offset + 1)
    assert in_json(data_dir, "--discard")["offset"] == offset
    done = invoke("v2", "export", data_dir)
    assert (done.exit_code, "holds no v2 keys" in done.stderr) == (3, True)


def test_a_snap_of_that_name_is_kept_under_another(data_dir: Path) -> None:
    planned = in_json(data_dir, "--discard", "--dry-run")
    path = data_dir / "member/snap" / Path(planned["snap"]).name
    older = max((data_dir / "member/snap").glob("*.snap")).read_bytes()
    path.write_bytes(older)  # as a server that was killed before it wrote its record
    added = in_json(data_dir, "--discard")
    assert added["offset"] == planned["offset"]
    assert path.with_name(Path(added["kept"]).name).read_bytes() == older
    assert ".before-drop-" in added["kept"]
    assert invoke("verify", data_dir).exit_code == 0


@pytest.mark.parametrize("words", [("--discard",), ("--discard", "--dry-run")])
def test_one_that_runs_is_refused(words: tuple[str, ...], data_dir: Path) -> None:
    with locked_as_by_bbolt(data_dir / "member/snap/db"):
        done = drop(data_dir, *words)
    assert (done.exit_code, "locked by" in done.stderr) == (1, True)
    assert drop(data_dir, *words).exit_code == 0


def test_data_dirs_must_go_together(data_dir: Path, tmp_path: Path) -> None:
    done = drop(data_dir, data_dir / "..", "--discard")
    assert (done.exit_code, "is no data dir" in done.stderr) == (1, True)
    (tmp_path / "link").symlink_to(data_dir)
    done = drop(data_dir, tmp_path / "link", "--discard")
    assert (done.exit_code, "are the same folder" in done.stderr) == (2, True)
    copy = faults.copy_dir(data_dir, tmp_path / "copy")
    done = drop(data_dir, copy, "--discard")
    assert (done.exit_code, "are both of member" in done.stderr) == (2, True)
    done = drop(data_dir, samples.unpack("upgrade/v2-hidden-only/data-final.tar.gz"), "--discard", "--dry-run")
    assert done.exit_code == 2
    assert drop(data_dir, "--wal-dir", "a", "--wal-dir", "b").exit_code == 2
    assert drop(samples.packed(HIDDEN), "--discard").exit_code == 1
    assert drop(tmp_path / "none", "--discard").exit_code == 1


def test_members_that_are_missing_are_named(tmp_path: Path) -> None:
    for name in ("c1", "c3", "c4"):
        samples.fresh(f"v2-cluster/3.4/data-{name}.tar.gz", tmp_path)
    done = drop(tmp_path / "c1.etcd", "--discard")
    assert done.exit_code == 3
    hidden = samples.unpack("v3/3.6/data.tar.gz")
    done = drop(hidden, "--dry-run")
    assert done.exit_code == 3
    assert "these were not given: " in done.stderr
    assert drop(hidden, "--dry-run", "--some-members").exit_code == 0


def test_a_whole_cluster_without_v2_needs_nothing() -> None:
    members = [samples.unpack(name) for name in samples.archives("v3-cluster/3.6")]
    before = [samples.hashes(member) for member in members]
    assert len(members) == 3
    done = drop(*members)
    assert (done.exit_code, done.stdout.count("nothing to drop")) == (0, 3), done.stderr
    assert [samples.hashes(member) for member in members] == before
    done = drop(*members[:2])
    assert (done.exit_code, "the cluster has 3 members" in done.stderr) == (3, True)
    assert drop(members[0], samples.unpack(HIDDEN)).exit_code == 2  # of another cluster


@pytest.mark.parametrize("sample", ["v2-auth/3.4/data.tar.gz", "v2-rich/3.4/data-clean.tar.gz"])
def test_what_3_4_wrote_is_left_to_3_5_first(sample: str) -> None:
    done = drop(samples.unpack(sample), "--discard", "--dry-run")
    assert done.exit_code == 3
    assert "has v2 requests behind raft index" in done.stderr
    assert "start the whole cluster with etcd 3.5" in done.stderr


@pytest.mark.parametrize(
    ("sample", "words"),
    [("v2-rich/2.3/data-clean.tar.gz", "has no v3 database"), ("v2-only-wal/3.4/data.tar.gz", "has applied nothing")],
)
def test_what_used_v2_only_is_named(sample: str, words: str) -> None:
    done = drop(samples.unpack(sample), "--discard", "--dry-run")
    assert (done.exit_code, words in done.stderr) == (3, True)


@pytest.mark.parametrize("recipe", ["log", "snap", "database"])
def test_a_damaged_one_is_refused(recipe: str, data_dir: Path) -> None:
    if recipe == "log":
        faults.flip(data_dir / WAL, 5000)
    elif recipe == "snap":
        faults.flip(max((data_dir / "member/snap").glob("*.snap")), 200)
    else:
        for page in (0, 1):
            faults.put(data_dir / "member/snap/db", page * 4096 + 16, b"\xff" * 64)
    before = samples.hashes(data_dir)
    assert drop(data_dir, "--discard").exit_code == 10
    assert samples.hashes(data_dir) == before


def test_a_damaged_snap_may_be_put_aside(data_dir: Path) -> None:
    newest = max((data_dir / "member/snap").glob("*.snap"))
    wanted = in_json(data_dir, "--discard", "--dry-run")
    faults.flip(newest, 200)
    done = drop(data_dir, "--discard")
    assert (done.exit_code, ".broken behind its name" in done.stderr) == (10, True)
    newest.rename(f"{newest}.broken")
    assert in_json(data_dir, "--discard") == {**wanted, "result": "dropped", "findings": mock.ANY}


def test_a_database_ahead_of_the_log_is_refused(data_dir: Path) -> None:
    planned = in_json(data_dir, "--discard", "--dry-run")
    log = data_dir / WAL
    os.truncate(log, planned["offset"] - 200)
    os.truncate(log, 64_000_000)
    done = drop(data_dir, "--discard")
    assert done.exit_code in {3, 10}
