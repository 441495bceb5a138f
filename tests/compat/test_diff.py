"""``etcdtool snapshot diff`` of snapshots that real servers saved around a known set of changes."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from support import real, samples
from support.cli import invoke

if TYPE_CHECKING:
    import random
    from pathlib import Path

VERSIONS = ["3.4", "3.5", "3.6", "3.7"]
MEMBERS = ["snapshot-n0.db.gz", "snapshot-n1.db.gz", "snapshot-n2.db.gz", "data-n0.tar.gz", "data-n1.tar.gz"]
KEYS = 120
CHANGES = 40


def turns() -> list[Any]:
    """Give one set of changes for two versions, and with --full five for each."""
    found = []
    for version in VERSIONS:
        for turn in range(5):
            marks = [] if not turn and version in {"3.5", "3.7"} else [pytest.mark.full]
            found.append(pytest.param(version, turn, id=f"{version}-{turn}", marks=marks))
    return found


def diff(*words: object) -> Any:
    done = invoke("snapshot", "diff", *words, "-w", "json")
    assert (done.exit_code, done.stderr) in ((0, ""), (3, "")), done.stderr
    found = json.loads(done.stdout)
    assert found["equal"] == (done.exit_code == 0)
    return found


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


State = dict[bytes, tuple[bytes, int, int]]
"""Key -> value, lease, revision."""


class Store:
    """A real server and what it should hold, by our own account."""

    def __init__(self, server: real.Server, rng: random.Random) -> None:
        self._server, self._rng = server, rng
        self.values: dict[bytes, bytes] = {}
        self.leased: dict[bytes, int] = {}
        self.revisions: dict[bytes, int] = {}
        self.lease = int(self._post("lease/grant", {"TTL": 3600})["ID"])

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        status, _, answer = self._server.http("POST", f"/v3/{path}", json.dumps(body).encode())
        assert status == 200, answer
        return dict(json.loads(answer))

    def key(self) -> bytes:
        name = self._rng.choice([b"/a/%d", b"/b/%d", b"/registry/pods/x/%d", b"\xff\x00%d", b"/new\nline/%d"])
        return name % self._rng.randrange(40)

    def put(self, key: bytes, value: bytes, *, leased: bool = False) -> None:
        request = {"key": text(key), "value": text(value), "lease": str(self.lease if leased else 0)}
        self.revisions[key] = int(self._post("kv/put", request)["header"]["revision"])
        self.values[key], self.leased[key] = value, self.lease if leased else 0

    def delete(self, key: bytes) -> None:
        self._post("kv/deleterange", {"key": text(key)})
        for known in (self.values, self.leased, self.revisions):
            known.pop(key, None)

    def change(self) -> None:
        key = self.key()
        known = self._rng.choice(sorted(self.values)) if self.values else key
        match self._rng.choice(["put", "again", "delete", "lease", "back", "compact"]):
            case "put":
                self.put(key, self._rng.randbytes(self._rng.choice([0, 3, 400, 9000])))
            case "again":
                self.put(known, self.values.get(known, b""), leased=bool(self.leased.get(known)))
            case "delete":
                self.delete(known)
            case "lease":
                self.put(known, self.values.get(known, b""), leased=self._rng.random() < 0.7)
            case "back":  # away, and back as it was
                value, leased = self.values.get(known, b"x"), bool(self.leased.get(known))
                self.delete(known)
                self.put(known, value, leased=leased)
            case "compact":
                revision = max(self.revisions.values(), default=0)
                if revision > 2 and self._rng.random() < 0.2:
                    self._server.etcdctl("compact", str(revision), check=False)

    def state(self) -> State:
        return {key: (value, self.leased[key], self.revisions[key]) for key, value in self.values.items()}


def expected(before: State, after: State) -> dict[bytes, str]:
    found = {}
    for key in before.keys() | after.keys():
        one, other = before.get(key), after.get(key)
        if one is None:
            found[key] = "added"
        elif other is None:
            found[key] = "removed"
        elif one[0] != other[0]:
            found[key] = "changed"
        elif one[1] != other[1]:
            found[key] = "leased"
        elif one[2] != other[2]:
            found[key] = "touched"
    return found


def listed(found: Any) -> dict[bytes, str]:
    keys = [one for one in found["changes"] if one["section"] == "keys"]
    named = {one["key"].encode() if "key" in one else base64.b64decode(one["key_b64"]): one["change"] for one in keys}
    assert len(named) == len(keys)
    assert list(named) == sorted(named)
    return named


@pytest.mark.parametrize(("version", "turn"), turns())
def test_exactly_the_changes_are_listed(version: str, turn: int, rng: random.Random, tmp_path: Path) -> None:
    rng.seed(f"{rng.random()} {version} {turn}")
    one, other = tmp_path / "one.db", tmp_path / "other.db"
    with real.Server(version, tmp_path / "data") as server:
        store = Store(server, rng)
        for _ in range(KEYS):
            store.put(store.key(), rng.randbytes(20), leased=rng.random() < 0.2)
        server.etcdctl("snapshot", "save", one)
        before = store.state()
        for _ in range(CHANGES):
            store.change()
        server.etcdctl("snapshot", "save", other)
        after = store.state()
        digests = [samples.sha256(path) for path in (one, other)]
        wanted = expected(before, after)
        found = diff(one, other, "--metadata")
        assert listed(found) == wanted
        plain = {key: change for key, change in wanted.items() if change != "touched"}
        assert listed(diff(one, other)) == plain
        assert listed(diff(one, other, "--prefix=/a/")) == {
            key: change for key, change in plain.items() if key.startswith(b"/a/")
        }
        backwards = {"added": "removed", "removed": "added"}
        assert listed(diff(other, one)) == {key: backwards.get(change, change) for key, change in plain.items()}
        counts = {change: list(wanted.values()).count(change) for change in set(wanted.values())}
        assert {name: number for name, number in found["keys"].items() if number and name != "identical"} == counts
        if found["after"]["compactRevision"] <= found["before"]["revision"]:
            assert diff(one, other, "--at-common-revision", "--metadata")["equal"]
        server.stop()
        assert diff(other, tmp_path / "data")["equal"]
    assert [samples.sha256(path) for path in (one, other)] == digests


def test_what_is_beside_keys(tmp_path: Path) -> None:
    one, other = tmp_path / "one.db", tmp_path / "other.db"
    with real.Server("3.7", tmp_path / "data") as server:
        server.etcdctl("put", "key", "value")
        for words in (["user", "add", "root:rootpw"], ["user", "add", "alice:old"], ["role", "add", "reader"]):
            server.etcdctl(*words)
        granted = server.etcdctl_json("lease", "grant", "100")["ID"]
        server.etcdctl("snapshot", "save", one)
        for words in (
            ["user", "grant-role", "root", "root"],
            ["role", "grant-permission", "reader", "read", "/a", "/b"],
            ["role", "add", "writer"],
            ["lease", "revoke", f"{granted:x}"],
            ["member", "add", "m2", "--learner", "--peer-urls=http://127.0.0.1:9"],
        ):
            server.etcdctl(*words)
        server.etcdctl("user", "passwd", "alice", "--interactive=false", stdin="new\n")
        new = server.etcdctl_json("lease", "grant", "300")["ID"]
        server.etcdctl("auth", "enable")
        server.etcdctl("snapshot", "save", other, "--user=root:rootpw")
    found = diff(one, other)
    assert listed(found) == {}
    assert {(change["section"], change["name"], change["change"]) for change in found["changes"]} >= {
        ("leases", f"lease {granted:x}", "removed"),
        ("leases", f"lease {new:x}", "added"),
        ("auth", "authentication", "changed"),
        ("auth", "user root", "changed"),
        ("auth", "user alice", "changed"),
        ("auth", "role reader", "changed"),
        ("auth", "role writer", "added"),
        ("members", "raft configuration", "changed"),
    }
    assert found["sections"] == {"leases": 2, "auth": 5, "members": 2, "alarms": 0, "versions": 0, "other": 0}
    role = next(change for change in found["changes"] if change["name"] == "role reader")
    assert (role["before"], role["after"]) == ("no permissions", "read /a to /b")
    for section in ("leases", "auth", "members"):
        assert section not in diff(one, other, f"--ignore={section}")["sections"]
    assert diff(one, other, "--ignore=leases", "--ignore=auth", "--ignore=members")["equal"]
    assert diff(one, other, "--prefix=key")["equal"]
    done = invoke("snapshot", "diff", one, other)
    assert done.exit_code == 3
    assert "~ role reader\n    - no permissions\n    + read /a to /b\n" in done.stdout


@pytest.mark.parametrize("name", MEMBERS[1:])
def test_members_of_one_cluster_are_equal(name: str) -> None:
    paths = [samples.unpack(f"v3-cluster/3.6/{one}") for one in (MEMBERS[0], name)]
    found = diff(*paths)
    assert found["equal"]
    assert found["changes"] == []
    assert found["keys"]["identical"] == found["before"]["keys"] == found["after"]["keys"]
    assert {one["name"] for one in found["own"]} <= {"consistent index", "term", "finished compaction"}


def test_members_of_a_live_cluster_are_equal(tmp_path: Path, rng: random.Random) -> None:
    with real.Cluster("3.7", tmp_path, 3) as cluster:
        first = cluster.members[0]
        for number in range(30):
            first.etcdctl("put", f"/{rng.randrange(9)}", f"value {number}")
        first.etcdctl("compact", "15", "--physical")
        first.etcdctl("user", "add", "alice:pw")
        first.etcdctl("lease", "grant", "1000")
        for server in cluster.members:
            server.etcdctl("get", "/")  # what is linearizable waits until the member has applied the log so far
            deadline = time.monotonic() + 30
            while "finished scheduled compaction" not in server.log and time.monotonic() < deadline:
                time.sleep(0.1)
            server.etcdctl("snapshot", "save", tmp_path / f"{server.name}.db")
        paths = [tmp_path / f"{server.name}.db" for server in cluster.members]
    for path in paths[1:]:
        assert diff(paths[0], path, "--metadata")["equal"]
