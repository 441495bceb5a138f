"""``migrate`` beside etcdutl's: the same exit codes, words and buckets on the same data; real servers start on them."""

from __future__ import annotations

import json
import re
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest
from support import real, restored, samples
from support.cli import invoke

from etcdtool.formats.raft import ConfState, EntryType, HardState
from etcdtool.formats.snap import pack_snap_file, snap_name
from etcdtool.formats.wal import WalWriter, pack_metadata
from etcdtool.formats.wire import etcdserver_pb2, raft_internal_pb2, raft_pb2
from etcdtool.model.store_v2 import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.real import Server

TOOLS = ("3.6", "3.7")
TARGETS = ("3.5", "3.6", "3.7", "3.8", "4.0")
BAD_TARGETS = ("3.4", "3", "3.6.0", "3.x", "3.6-rc", "3.-1", "3.99999999999999999999", "")
UNKNOWN_TO_3_6 = {"3.7", "3.8"}
SAID = (
    "storage version up-to-date",
    "updated storage version",
    "normal migrate failed, trying with force",
    "forcefully cleared storage version",
    "forcefully set storage version",
)
PANICKED = 2
Answer = tuple[int, str, list[tuple[str, ...]]]


def long(*values: str) -> Any:
    """Give a case for the long suite."""
    return pytest.param(*values, marks=pytest.mark.full)


def etcdutl(version: str, data_dir: Path, *words: str) -> Answer:
    done = real.run(real.program("etcdutl", version), "migrate", "--data-dir", data_dir, *words)
    return done.returncode, _error(done.stderr), _told(done.stderr)


def ours(data_dir: Path, *words: str) -> Answer:
    done = invoke("migrate", "--data-dir", data_dir, *words)
    return done.exit_code, _error(done.stderr), _told(done.stderr)


def _error(stderr: str) -> str:
    return next((line for line in stderr.splitlines() if line.startswith("Error: ")), "")


def _told(stderr: str) -> list[tuple[str, ...]]:
    """Give level, message and facts of what both tools tell, without time, place and form of the rest."""
    found = []
    for line in stderr.splitlines():
        level, _, message, *facts = [*line.split("\t")[1:], "", ""][:4] if "\t" in line else ["", "", ""]
        if message in SAID:
            found.append((level, message, json.dumps(json.loads("".join(facts) or "{}"))))
    return found


def assert_same(answer: Answer, wanted: Answer) -> None:
    assert (answer[0], answer[2]) == (wanted[0], wanted[2])
    assert answer[1].startswith(wanted[1])  # ours may end in a hint
    assert bool(answer[1]) == bool(wanted[1])


def copies(data_dir: Path, folder: Path, *names: str) -> list[Path]:
    """Copy a data dir, holes of its log included."""
    return [shutil.copytree(data_dir, folder / name, copy_function=_copy) for name in names]


def _copy(source: str, target: str) -> None:
    real.run("cp", "--sparse=always", source, target, check=True)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("version", [long("3.4"), long("3.5"), "3.6", long("3.7")])
def test_each_target_from_each_version(version: str, force: bool, tmp_path: Path) -> None:
    source = samples.unpack(f"v3/{version}/data.tar.gz")
    for target in TARGETS:
        words = ["--target-version", target, *(["--force"] if force else [])]
        for tool in TOOLS:
            if tool == "3.6" and UNKNOWN_TO_3_6 & {version, target}:
                continue  # it does not know 3.7, which is what 3.7's own is asked about
            folder = tmp_path / f"{target} {tool}"
            mine, theirs = copies(source, folder, "mine", "theirs")
            assert_same(ours(mine, *words), etcdutl(tool, theirs, *words))
            assert restored.buckets(mine) == restored.buckets(theirs)
            shutil.rmtree(folder)


@pytest.mark.parametrize("target", BAD_TARGETS)
def test_targets_that_are_none(target: str, tmp_path: Path) -> None:
    for tool in TOOLS:
        assert_same(ours(tmp_path, "--target-version", target), etcdutl(tool, tmp_path, "--target-version", target))


def test_3_6_differs_only_in_not_knowing_3_7(tmp_path: Path) -> None:
    (data_dir,) = copies(samples.unpack("v3/3.6/data.tar.gz"), tmp_path, "theirs")
    assert etcdutl("3.6", data_dir, "--target-version", "3.7")[1] == (
        'Error: cannot create migration plan: version "3.7.0" is not supported'
    )


def test_no_database_and_no_log(tmp_path: Path) -> None:
    for tool in TOOLS:
        mine, theirs = copies(samples.unpack("v3/3.6/data.tar.gz"), tmp_path / tool, "mine", "theirs")
        for data_dir in (mine, theirs):
            for segment in (data_dir / "member/wal").iterdir():
                segment.unlink()
        assert_same(ours(mine, "--target-version", "3.5"), etcdutl(tool, theirs, "--target-version", "3.5"))
        for data_dir in (mine, theirs):
            (data_dir / restored.DB).rename(data_dir / "db")
        one = ours(mine, "--target-version", "3.5")
        assert one[1].replace("mine", "theirs").startswith(etcdutl(tool, theirs, "--target-version", "3.5")[1])


def request(**fields: bytes) -> bytes:
    message = raft_internal_pb2.InternalRaftRequest(ID=7)
    for name, data in fields.items():
        getattr(message, name).ParseFromString(data)
        getattr(message, name).SetInParent()
    return message.SerializeToString()


def version_test(version: str) -> bytes:
    """Give the one request that needs 3.6 or later: servers' own tests write it to try this guard."""
    message = raft_internal_pb2.InternalRaftRequest(ID=7)
    message.downgrade_version_test.ver = version.encode()
    return message.SerializeToString()


KINDS: dict[str, bytes] = {
    "put": request(put=b"\x0a\x01k"),
    "lease checkpoint": request(lease_checkpoint=b""),
    "auth status": request(auth_status=b""),
    "hashed password": request(auth_user_add=b"\x22\x01x"),
    "cluster version": request(cluster_version_set=b"\x0a\x053.7.0"),
    "member attributes": request(cluster_member_attr_set=b"\x08\x01"),
    "downgrade info": request(downgrade_info_set=b"\x08\x01\x12\x053.6.0"),
    "corrupt alarm": request(alarm=b"\x18\x02"),
    "unknown to 3.5": version_test("3.5.0"),
    "unknown to 3.6": version_test("3.7.0"),
    "of a release candidate": version_test("3.6.0-rc.2"),
}

USUAL_KINDS = {"downgrade info", "unknown to 3.5"}
NOT_FOR_3_5 = {"unknown to 3.5", "unknown to 3.6", "of a release candidate"}


def write_log(data_dir: Path, records: list[bytes | tuple[int, bool]], *, commit: int) -> None:
    """Replace the log: entries, and (index, whether there is a .snap too) for records of snapshots."""
    shutil.rmtree(data_dir / "member/wal")
    (data_dir / "member/wal").mkdir()
    for path in (data_dir / "member/snap").glob("*.snap"):
        path.unlink()
    writer, index = WalWriter(pack_metadata(1, 1)), 0
    change = raft_pb2.ConfChange(id=0, type=raft_pb2.ConfChangeAddNode, node_id=1, context=b'{"id":1}')
    for record in (change.SerializeToString(), *records):
        if isinstance(record, bytes):
            index += 1
            writer.save_entry(index, 2, record, EntryType.CONF_CHANGE if index == 1 else EntryType.NORMAL)
            continue
        at, with_snap = record
        state = ConfState(voters=(1,))
        writer.save_snapshot(at, 2, state)
        if with_snap:
            data = pack_snap_file(Store().dump_json(), index=at, term=2, conf_state=state)
            (data_dir / "member/snap" / snap_name(2, at)).write_bytes(data)
    writer.save_state(HardState(2, 1, commit))
    for name, data in writer.files(allocated_size=1 << 16):
        (data_dir / "member/wal" / name).write_bytes(data)


@pytest.mark.parametrize("kind", [kind if kind in USUAL_KINDS else long(kind) for kind in KINDS])
def test_guard_of_each_kind_of_entry(kind: str, tmp_path: Path) -> None:
    for tool in TOOLS:
        mine, theirs = copies(samples.unpack("v3-edge/3.6/data.tar.gz"), tmp_path / tool, "mine", "theirs")
        for data_dir in (mine, theirs):
            write_log(data_dir, [KINDS["put"], KINDS[kind]], commit=3)
        wanted = etcdutl(tool, theirs, "--target-version", "3.5")
        assert_same(ours(mine, "--target-version", "3.5"), wanted)
        assert wanted[0] == (kind in NOT_FOR_3_5)
        assert restored.buckets(mine) == restored.buckets(theirs)
        forced = etcdutl(tool, theirs, "--target-version", "3.5", "--force")
        assert_same(ours(mine, "--target-version", "3.5", "--force"), forced)
        assert restored.buckets(mine) == restored.buckets(theirs)


NEWER = KINDS["unknown to 3.5"]
STARTS: dict[str, tuple[list[bytes | tuple[int, bool]], int]] = {
    "no snapshot": ([NEWER, KINDS["put"]], 3),
    "record and .snap behind it": ([NEWER, (2, True), KINDS["put"]], 3),
    "record without a .snap": ([NEWER, (2, False), KINDS["put"]], 3),
    "record that is not committed": ([NEWER, (2, True), KINDS["put"]], 1),
    "newer record without a .snap": ([KINDS["put"], (2, True), NEWER, (3, False), KINDS["put"]], 4),
    "entry that is not committed": ([KINDS["put"], (2, True), NEWER], 2),
}


@pytest.mark.parametrize("name", STARTS)
def test_where_the_entries_that_count_begin(name: str, tmp_path: Path) -> None:
    records, commit = STARTS[name]
    for tool, way in (("3.6", "snap"), ("3.7", "record")):
        mine, theirs = copies(samples.unpack("v3-edge/3.6/data.tar.gz"), tmp_path / tool, "mine", "theirs")
        for data_dir in (mine, theirs):
            write_log(data_dir, records, commit=commit)
        wanted = etcdutl(tool, theirs, "--target-version", "3.5")
        assert_same(ours(mine, "--target-version", "3.5", "--log-from", way), wanted)


def test_v2_requests_in_the_log_stop_3_7_and_not_us(tmp_path: Path) -> None:
    v2 = etcdserver_pb2.Request(ID=1, Method=b"PUT", Path=b"/0/version", Val=b"3.6.0").SerializeToString()
    mine, old, new = copies(samples.unpack("v3-edge/3.6/data.tar.gz"), tmp_path, "mine", "old", "new")
    for data_dir in (mine, old, new):
        write_log(data_dir, [v2, KINDS["put"]], commit=3)
    assert etcdutl("3.7", new, "--target-version", "3.5")[0] == PANICKED
    assert_same(ours(mine, "--target-version", "3.5"), etcdutl("3.6", old, "--target-version", "3.5"))
    assert restored.buckets(mine) == restored.buckets(old)


def fill(server: Server) -> None:
    """Have the log hold requests of many kinds."""
    server.etcdctl("put", "/a", "1")
    lease = server.etcdctl_json("lease", "grant", "600")["ID"]
    server.etcdctl("put", "/leased", "1", f"--lease={lease:x}")
    server.etcdctl("txn", stdin='mod("/a") > "0"\n\nput /b 2\n\nput /c 3\n\n')
    server.etcdctl("user", "add", "root:rootpw")
    server.etcdctl("user", "grant-role", "root", "root")
    server.etcdctl("role", "add", "reader")
    server.etcdctl("role", "grant-permission", "reader", "read", "/a")
    server.etcdctl("auth", "enable")
    server.etcdctl("--user=root:rootpw", "auth", "disable")
    server.etcdctl("alarm", "disarm")
    server.etcdctl("compaction", str(server.etcdctl_json("get", "/a")["header"]["revision"]))


@pytest.mark.parametrize("version", [long("3.6"), "3.7"])
def test_log_that_a_server_wrote_with_lease_checkpoints_auth_and_more(version: str, tmp_path: Path) -> None:
    gates = "--feature-gates=LeaseCheckpoint=true,LeaseCheckpointPersist=true"
    with real.Server(version, tmp_path / "data", gates) as server:
        fill(server)
        server.stop()
    for target in ("3.5", "3.6", "3.7"):
        for tool in TOOLS:
            if tool == "3.6" and "3.7" in {target, version}:
                continue
            folder = tmp_path / f"{target} {tool}"
            mine, theirs = copies(tmp_path / "data", folder, "mine", "theirs")
            assert_same(ours(mine, "--target-version", target), etcdutl(tool, theirs, "--target-version", target))
            assert restored.buckets(mine) == restored.buckets(theirs)


def answers(server: Server) -> Any:
    return server.etcdctl_json("get", "", "--prefix")["kvs"]


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def status(server: Server) -> dict[str, Any]:
    return dict(server.etcdctl_json("endpoint", "status")[0]["Status"])


def downgrade(server: Server, target: str) -> None:
    """Ask for a downgrade and wait until the cluster's version is brought down, and a snapshot taken behind it."""
    # the one before stays for some seconds, until the servers have seen that it is done
    wait_for(lambda: server.etcdctl("downgrade", "enable", target, check=False).returncode == 0)
    wait_for(lambda: json.loads(server.http("GET", "/version")[2])["etcdcluster"] == f"{target}.0")
    wait_for(lambda: "saved snapshot" in server.log)


def warned(data_dir: Path, target: str) -> bool:
    """Migrate; tell whether it warns that a server of that version will not start."""
    outcome = invoke("migrate", "--data-dir", data_dir, "--target-version", target, "--no-keep")
    assert outcome.exit_code == 0, outcome.stderr
    return re.search(r"\twarn\t.*etcd [\d.]+ (refuses|stops|needs)", outcome.stderr) is not None


@pytest.mark.full  # servers take their time to agree
def test_downgrade_that_was_asked_for_ends_in_older_servers(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    kvs: Any = None
    for version, target in (("3.7", "3.6"), ("3.6", "3.5")):
        with real.Server(version, data_dir) as server:
            fill(server)
            kvs = answers(server)
            downgrade(server, target)
            server.stop()
        # the server may have brought it down itself by now, so that it goes up once more
        assert not warned(data_dir, version)
        assert not warned(data_dir, target)
        with real.Server(target, data_dir) as server:
            assert answers(server) == kvs
            server.etcdctl("put", "/after", target)
            server.etcdctl("del", "", "--prefix")
            server.etcdctl("user", "delete", "root")
            server.etcdctl("role", "delete", "reader")
            server.stop()


@pytest.mark.parametrize(("version", "target"), [("3.7", "3.6"), long("3.6", "3.5")])
def test_downgrade_that_nobody_asked_for_is_refused_as_we_say(version: str, target: str, tmp_path: Path) -> None:
    with real.Server(version, tmp_path / "data") as server:
        fill(server)
        server.stop()
    assert warned(tmp_path / "data", target)
    with pytest.raises(real.ServerError, match="invalid downgrade"), real.Server(target, tmp_path / "data"):
        pass


def test_upgrade_offline(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with real.Server("3.5", data_dir, "--snapshot-count=5") as server:
        fill(server)
        kvs = answers(server)
        server.stop()
    for target in ("3.6", "3.7"):
        assert not warned(data_dir, target)
        with real.Server(target, data_dir, "--snapshot-count=5") as server:
            assert answers(server) == kvs
            wait_for(lambda: status(server)["storageVersion"] == f"{target}.0")  # noqa: B023  asked before the next
            for number in range(10):
                server.etcdctl("put", "/more", str(number))
            kvs = answers(server)
            server.stop()


def test_refused_beside_a_running_server(tmp_path: Path) -> None:
    with real.Server("3.6", tmp_path / "data") as server:
        outcome = invoke("migrate", "--data-dir", tmp_path / "data", "--target-version", "3.5", "--timeout", "1ms")
        assert outcome.exit_code == 1
        assert "Stop the server first" in outcome.stderr
        server.etcdctl("put", "/a", "1")
