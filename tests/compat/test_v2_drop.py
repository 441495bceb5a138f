"""``v2 drop``, judged by real servers: what they refused they start on, with every v3 key and member as before."""

from __future__ import annotations

import base64
import http.client
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from support import faults, real, samples
from support.booted import served
from support.cli import invoke
from support.servers import Cluster, Server, ServerError

from etcdtool.formats.snap import parse_snap_file
from etcdtool.formats.wal import SEGMENT_SIZE, Segment, scan
from etcdtool.model.store_v2 import Store, removed_members

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "m1"
WITH_V2 = "--enable-v2=true"
MEBIBYTE = 1 << 20
REFUSALS, STOPS_MAX = 2, 6
SNAPSHOT_FRAME = 40
WORD = 8
NOBODY: tuple[str, ...] = ()


@pytest.fixture(scope="module")
def v2_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a stopped member of 3.5 with v2 keys in its ``.snap`` files and behind them, and v3 keys."""
    data_dir = tmp_path_factory.mktemp("v2") / f"{NAME}.etcd"
    with Server("3.5", data_dir, WITH_V2, "--snapshot-count=20", name=NAME) as server:
        write(server)
    return data_dir


def write(server: Server) -> None:
    for number in range(25):
        put(server, f"/app/k{number}", f"v{number}")
        server.etcdctl("put", f"/v3/{number % 9}", str(number))
    put(server, "/_hidden/x", "h")
    server.etcdctl("compact", "12")
    lease = json.loads(server.etcdctl("lease", "grant", "7200", "-w", "json").stdout)["ID"]
    server.etcdctl("put", "/v3/leased", "x", f"--lease={lease:x}")
    put(server, "/last", "of all")


def put(server: Server, key: str, value: str) -> None:
    status, _, _ = server.v2("PUT", key, form={"value": value})
    assert status in {200, 201}


def start(version: str, data_dir: Path, folder: Path, *flags: str) -> dict[str, Any]:
    """Start a server on a copy; gives what it serves and who its members are."""
    copy = faults.copy_dir(data_dir, folder / f"{data_dir.name}-{version}")
    with Server(version, copy, *flags, name=NAME, start_seconds_max=30) as server:
        return facts(server)


def facts(server: Server) -> dict[str, Any]:
    members = server.etcdctl_json("member", "list")["members"]
    return {
        **served(server, NOBODY),
        "members": sorted((one["ID"], one.get("name", ""), *one["peerURLs"]) for one in members),
    }


def report_on(data_dir: Path, folder: Path) -> Path:
    done = invoke("convert", data_dir, "-o", folder / "v2.db", "--report-file", folder / "report.json")
    assert done.exit_code == 0, done.stderr
    return folder / "report.json"


def checked_by_etcd(data_dir: Path, folder: Path) -> int:
    copy = faults.copy_dir(data_dir, folder / f"{data_dir.name}-checked")
    return real.run(real.program("etcdutl", "3.5"), "check", "v2store", f"--data-dir={copy}").returncode


def test_what_3_6_and_3_7_refuse_they_start_on(v2_dir: Path, tmp_path: Path) -> None:
    for version, words in (("3.6", "detected disallowed custom content in v2store"), ("3.7", "unmarshal should never")):
        with pytest.raises(ServerError, match=words):
            start(version, v2_dir, tmp_path)
    wanted = start("3.5", v2_dir, tmp_path, WITH_V2)
    assert checked_by_etcd(v2_dir, tmp_path) == 1
    dropped = faults.copy_dir(v2_dir, tmp_path / "dropped")
    before = samples.hashes(dropped)
    done = invoke("v2", "drop", dropped)
    assert (done.exit_code, "27 keys and 2 directories, 2 of them hidden" in done.stderr) == (3, True)
    assert samples.hashes(dropped) == before
    done = invoke("v2", "drop", dropped, "--report", report_on(dropped, tmp_path))
    assert done.exit_code == 0, done.stderr
    assert checked_by_etcd(dropped, tmp_path) == 0
    for version in ("3.5", "3.6", "3.7"):
        assert start(version, dropped, tmp_path) == wanted, version


def test_the_record_goes_behind_what_entries_fill(tmp_path: Path) -> None:
    """A file of the log that entries fill up to the last bytes: servers go on to another one at the next entry."""
    data_dir = tmp_path / "m1.etcd"
    segment = data_dir / "member/wal/0000000000000000-0000000000000000.wal"
    with Server("3.5", data_dir, WITH_V2, name=NAME) as server:
        put(server, "/app/k", "v")
        fill(server, segment, SEGMENT_SIZE - SNAPSHOT_FRAME // 2 - WORD // 2)
    assert SEGMENT_SIZE - SNAPSHOT_FRAME <= end_of(segment) < SEGMENT_SIZE
    assert [path.name for path in segment.parent.glob("*.wal")] == [segment.name]
    with pytest.raises(ServerError, match="detected disallowed v2 WAL"):
        start("3.6", data_dir, tmp_path)
    wanted = start("3.5", data_dir, tmp_path, WITH_V2)
    assert invoke("v2", "drop", data_dir, "--discard").exit_code == 0
    assert end_of(segment) >= SEGMENT_SIZE
    assert invoke("verify", data_dir).exit_code == 0
    for version in ("3.5", "3.6", "3.7"):
        assert start(version, data_dir, tmp_path / "after") == wanted, version


def fill(server: Server, segment: Path, size: int) -> None:
    """Put values until the records in the file end about so many bytes from its beginning: two words less or more.

    A put writes an entry and a state, and the sum in a record, a varint, may take a byte less and so a word of padding.
    """
    while end_of(segment) < size - 2 * MEBIBYTE:
        put_bytes(server, MEBIBYTE)
    before = end_of(segment)
    put_bytes(server, MEBIBYTE // 2)
    end = end_of(segment)
    put_bytes(server, size - end - (end - before - MEBIBYTE // 2))  # as many bytes besides the value


def put_bytes(server: Server, count: int) -> None:
    body = json.dumps({"key": "L3YzL2ZpbGw=", "value": base64.b64encode(bytes(count)).decode()})
    status, _, _ = server.http("POST", "/v3/kv/put", body)
    assert status == http.client.OK


def end_of(segment: Path) -> int:
    return scan([Segment.named(segment.name, memoryview(segment.read_bytes()))]).end_offset


@pytest.mark.full
def test_3_5_serves_an_empty_v2_store_whose_index_goes_on(v2_dir: Path, tmp_path: Path) -> None:
    answers = []
    for name in ("before", "after"):
        copy = faults.copy_dir(v2_dir, tmp_path / name)
        if name == "after":
            assert invoke("v2", "drop", copy, "--discard").exit_code == 0
        with Server("3.5", copy, WITH_V2, name=NAME) as server:
            _, headers, body = server.v2("GET", "/", {"recursive": "true"})
            answers.append((int(headers["x-etcd-index"]), body["node"].get("nodes", [])))
            put(server, "/new", "x")
            assert server.v2("GET", "/new")[2]["node"]["modifiedIndex"] > answers[0][0]
    (index, nodes), (index_after, nodes_after) = answers
    assert nodes != nodes_after == []
    assert index_after == index


def test_a_small_cluster_of_3_5_gets_past_3_6(tmp_path: Path) -> None:
    data_dir = tmp_path / "small"
    for version in ("3.5", "3.6"):
        with Server(version, data_dir, name=NAME) as server:
            server.etcdctl("put", f"/from/{version}", "x")
    with pytest.raises(ServerError, match="unmarshal should never fail"):
        start("3.7", data_dir, tmp_path / "refused")
    wanted = start("3.6", data_dir, tmp_path)
    done = invoke("v2", "drop", data_dir)
    assert (done.exit_code, "only requests of the servers themselves" in done.stdout) == (0, True)
    assert start("3.7", data_dir, tmp_path) == wanted
    assert start("3.6", data_dir, tmp_path / "again") == wanted
    assert "nothing to drop" in invoke("v2", "drop", data_dir).stdout


def test_hidden_keys_alone(tmp_path: Path) -> None:
    """The real check calls it clean, 3.6 starts on it, and the keys are gone; here they are named before."""
    data_dir = faults.copy_dir(samples.unpack("upgrade/v2-hidden-only/data.tar.gz"), tmp_path / "registry")
    assert checked_by_etcd(data_dir, tmp_path) == 0
    assert invoke("v2", "drop", data_dir).exit_code == 3
    wanted = start("3.5", data_dir, tmp_path)
    assert invoke("v2", "drop", data_dir, "--discard").exit_code == 0
    for version in ("3.6", "3.7"):
        assert start(version, data_dir, tmp_path)["kvs"] == wanted["kvs"]


@pytest.mark.full
def test_users_and_roles_of_v2(tmp_path: Path) -> None:
    data_dir = tmp_path / "auth"
    with Server("3.5", data_dir, WITH_V2, "--snapshot-count=10", name=NAME) as server:
        for user in ("root", "alice"):
            body = json.dumps({"user": user, "password": "pw", "roles": []})
            headers = {"Content-Type": "application/json"}
            assert server.http("PUT", f"/v2/auth/users/{user}", body, headers)[0] == 201
        assert server.http("PUT", "/v2/auth/enable")[0] == 200
        for number in range(15):
            server.etcdctl("put", f"/v3/{number}", "x")
    with pytest.raises(ServerError, match="detected disallowed"):
        start("3.6", data_dir, tmp_path / "refused")
    wanted = start("3.5", data_dir, tmp_path)
    done = invoke("v2", "drop", data_dir)
    assert (done.exit_code, "2 users and 1 role of v2" in done.stderr) == (3, True), done.stderr
    done = invoke("v2", "drop", data_dir, "--discard")
    assert done.exit_code == 0, done.stderr
    for version in ("3.6", "3.7"):
        assert start(version, data_dir, tmp_path) == wanted


@pytest.mark.full
def test_3_4_is_sent_through_3_5(tmp_path: Path) -> None:
    data_dir = tmp_path / "old"
    with Server("3.4", data_dir, WITH_V2, name=NAME) as server:
        put(server, "/a", "x")
        server.etcdctl("put", "/v3", "x")
    last_was_v3 = faults.copy_dir(data_dir, tmp_path / "v3")
    assert invoke("v2", "drop", last_was_v3, "--discard").exit_code == 0
    assert start("3.4", last_was_v3, tmp_path)["kvs"] == start("3.4", data_dir, tmp_path)["kvs"]

    with Server("3.4", data_dir, WITH_V2, name=NAME) as server:
        put(server, "/b", "x")
    done = invoke("v2", "drop", data_dir, "--discard")
    assert (done.exit_code, "start the whole cluster with etcd 3.5" in done.stderr) == (3, True)
    with Server("3.5", data_dir, WITH_V2, name=NAME) as server:
        server.etcdctl("get", "/v3")
    assert invoke("v2", "drop", data_dir, "--discard").exit_code == 0
    wanted = start("3.5", data_dir, tmp_path)
    for version in ("3.6", "3.7"):
        assert start(version, data_dir, tmp_path) == wanted


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster("3.5", tmp_path, 3, WITH_V2, "--strict-reconfig-check=false") as cluster:
        yield cluster


def everywhere(cluster: Cluster) -> list[dict[str, Any]]:
    """Ask every member, without what a write in between changes."""
    first = facts(cluster.members[0])
    answers = []
    for member in cluster.members:
        hashed = member.etcdctl_json("endpoint", "hashkv", f"--rev={first['revision']}")[0]["HashKV"]["hash"]
        kvs = member.etcdctl_json("get", "", "--from-key", f"--rev={first['revision']}")["kvs"]
        answers.append({**first, "kvs": kvs, "hash": hashed})
    assert answers.count(answers[0]) == len(answers)
    return answers


def change_version(cluster: Cluster, version: str, *flags: str) -> None:
    for member in cluster.members:
        member.version, member.flags = version, flags
        member.start(wait=False)
    for member in cluster.members:
        member.wait_ready()


@pytest.mark.full
def test_three_members_go_on_to_3_6_and_3_7(three: Cluster, tmp_path: Path) -> None:
    members = three.members
    write(members[1])
    data_dirs = [member.data_dir for member in members]
    before = everywhere(three)[0]
    for member in members:
        member.stop()
    report = report_on(data_dirs[2], tmp_path)
    done = invoke("v2", "drop", data_dirs[0], "--report", report)
    assert (done.exit_code, "these were not given" in done.stderr) == (3, True)
    assert invoke("v2", "drop", *data_dirs).exit_code == 3
    done = invoke("v2", "drop", *data_dirs, "--report", report)
    assert done.exit_code == 0, done.stderr
    for version in ("3.6", "3.7"):
        change_version(three, version)
        after = everywhere(three)[0]
        assert {name: after[name] for name in ("leases", "users", "members")} == {
            name: before[name] for name in ("leases", "users", "members")
        }
        assert [kv for kv in after["kvs"] if kv["key"] != "L3dyaXR0ZW4vYWZ0ZXI="] == before["kvs"]
        for member in members:
            member.stop()
        done = invoke("v2", "drop", *data_dirs)
        assert (done.exit_code, done.stdout.count("nothing to drop")) == (0, 3)


@pytest.mark.full
def test_a_key_with_a_ttl_keeps_the_log_from_ending(three: Cluster) -> None:
    """The leader goes on writing SYNC while the others stop, at each stop again; without such a key it does not."""
    members = three.members
    data_dirs = [member.data_dir for member in members]
    assert members[0].v2("PUT", "/lock", form={"value": "x", "ttl": "5000"})[0] == 201
    write(members[0])
    refused = []
    while len(refused) < STOPS_MAX and refused.count(3) < REFUSALS:
        time.sleep(1)
        for member in members:
            member.stop()
        done = invoke("v2", "drop", *data_dirs, "--discard", "--dry-run")
        refused.append(done.exit_code)
        assert done.exit_code == 0 or (" SYNC" in done.stderr and "delete the keys with a TTL" in done.stderr)
        change_version(three, "3.5", WITH_V2)
    assert refused.count(3) == REFUSALS
    assert members[1].v2("DELETE", "/lock")[0] == 200
    before = everywhere(three)[0]
    for member in members:
        member.stop()
    done = invoke("v2", "drop", *data_dirs, "--discard")
    assert done.exit_code == 0, done.stderr
    change_version(three, "3.6")
    assert everywhere(three)[0]["members"] == before["members"]


@pytest.mark.full
def test_members_that_were_removed_and_added_stay_so(three: Cluster) -> None:
    """No ``.snap`` yet: the members come from the log alone, and one of them was never started."""
    first, second, third = three.members
    write(first)
    gone = next(one for one in first.etcdctl_json("member", "list")["members"] if one["name"] == third.name)["ID"]
    first.etcdctl("member", "remove", f"{gone:x}")
    first.add_member("new", "http://127.0.0.1:1", "--learner")
    put(second, "/after", "the changes")
    wanted = facts(first)["members"]
    for member in three.members:
        member.stop()
    data_dirs = [first.data_dir, second.data_dir]
    done = invoke("v2", "drop", *data_dirs, "--discard")
    assert (done.exit_code, "the cluster has 3 members, and these were not given" in done.stderr) == (3, True)
    done = invoke("v2", "drop", third.data_dir, "--discard", "--some-members")
    assert done.exit_code == 3, done.stdout
    done = invoke("v2", "drop", *data_dirs, "--discard", "--some-members")
    assert done.exit_code == 0, done.stderr
    for version in ("3.5", "3.6", "3.7"):
        for member in (first, second):
            member.version, member.flags = version, ()
            member.start(wait=False)
        for member in (first, second):
            member.wait_ready()
        assert facts(first)["members"] == wanted
        for member in (first, second):
            member.stop()
        assert invoke("v2", "drop", *data_dirs, "--some-members").exit_code == 0
    newest = max(first.data_dir.rglob("*.snap"))
    snap = parse_snap_file(memoryview(newest.read_bytes()))
    assert len(snap.conf_state.voters) == 2
    assert len(snap.conf_state.learners) == 1
    assert removed_members(Store.recover(snap.data)) == {gone}
