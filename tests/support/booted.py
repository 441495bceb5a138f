"""What real servers answer on a data dir, to compare with what they answered when the data were written.

The samples of ``v3/`` have auth switched on; who may do what, and the leases, are in their ``expected.json``.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from support import samples
from support.servers import Server

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ROOT = ("--user", "root:rootpw")
MONTH, MONTH_KEYS = 1001, "leased/month/"


def served(server: Server, user: tuple[str, ...] = ROOT) -> dict[str, Any]:
    """Ask for everything, as root where a sample has auth switched on; and write, which has to work."""
    answer = server.etcdctl_json("get", "", "--from-key", *user)
    hashed = server.etcdctl_json("endpoint", "hashkv", *user)[0]["HashKV"]
    leases = server.etcdctl_json("lease", "list", *user)
    server.etcdctl("put", "/written/after", "the restore", *user)
    return {
        "kvs": answer["kvs"],
        "revision": answer["header"]["revision"],
        "hash": (hashed["hash"], hashed["compact_revision"]),
        "leases": sorted(lease["id"] for lease in leases["leases"]),
        "users": server.etcdctl_json("user", "list", *user).get("users"),
    }


def boot(version: str, data_dir: Path, *flags: str, name: str = "default", user: tuple[str, ...] = ROOT) -> Any:
    """Start a server on a data dir, and stop it; gives what it served. Writes into the dir."""
    with Server(version, data_dir, *flags, name=name) as server:
        return served(server, user)


def kvs_at(server: Server, revision: int = 0, user: tuple[str, ...] = ROOT) -> list[dict[str, Any]]:
    """Give every key at a revision, by default the newest, with the fields as the samples have them."""
    answer = server.etcdctl_json("get", "", "--from-key", f"--rev={revision}", *user)
    return [{name: str(value) for name, value in kv.items() if value} for kv in answer.get("kvs", [])]


def recorded_kvs(sample: str, name: str = "latest") -> list[dict[str, str]]:
    """Give every key as the server that wrote a sample gave them: ``recorded_kvs("v3/3.6")``."""
    kvs = samples.load(f"{sample}/range-{name}.json.gz")["kvs"]
    return [{name: str(value) for name, value in kv.items() if value not in ("", "0")} for kv in kvs]


def count(server: Server, *words: str) -> int:
    """Count keys."""
    return len(server.etcdctl_json("get", *words, "--keys-only", *ROOT).get("kvs", []))


def hashes_at(servers: Iterable[Server], revision: int = 0, user: tuple[str, ...] = ROOT) -> set[tuple[int, int]]:
    """Give what the members hash the keys to, up to the newest revision or another, with what each has compacted."""
    found = set()
    for server in servers:
        server.etcdctl("get", "nothing", *user)  # linearizable: all that was written has arrived
        answer = server.etcdctl_json("endpoint", "hashkv", f"--rev={revision}", *user)[0]["HashKV"]
        found.add((answer["hash"], answer["compact_revision"]))
    return found


def hold_auth(server: Server) -> None:
    """Hold that users may do what their roles say, and nothing else."""
    allowed = [
        ("alice:alicepw", "put", "/app/written", "by alice"),
        ("alice:alicepw", "put", "inbox/1", "by alice"),
        ("bob:bobpw2", "get", "/app/written"),
    ]
    denied = [
        ("alice:alicepw", "get", "inbox/1"),
        ("alice:alicepw", "put", "/elsewhere", "by alice"),
        ("bob:bobpw2", "put", "/app/written", "by bob"),
        ("юзер:pw ü", "get", "/app/written"),
    ]
    for user, *words in allowed:
        assert server.etcdctl(*words, "--user", user).returncode == 0
    for user, *words in denied:
        assert "permission denied" in server.etcdctl(*words, "--user", user, check=False).stderr
    wrong = server.etcdctl("get", "/app/written", "--user", "bob:wrong", check=False)
    assert "invalid user ID or password" in wrong.stderr
    assert "user name is empty" in server.etcdctl("get", "/app/written", check=False).stderr


def hold_leases(server: Server, sample: str) -> None:
    """Hold that leases are the recorded ones, and that their keys go with them."""
    recorded = samples.expected(sample)["live"]["lease_timetolive"]
    for lease in (one for one in recorded.values() if int(one["TTL"]) > 0):
        told = server.etcdctl_json("lease", "timetolive", f"{int(lease['ID']):x}", "--keys", *ROOT)
        assert told["granted-ttl"] == int(lease["grantedTTL"])
        assert 0 < told["ttl"] <= int(lease["grantedTTL"])
        assert sorted(told["keys"] or []) == sorted(lease.get("keys", []))
    before = count(server, "", "--from-key")
    server.etcdctl("lease", "revoke", f"{MONTH:x}", *ROOT)
    gone = {base64.b64decode(key).decode() for key in recorded["thirty-days"]["keys"]}
    assert gone == {f"{MONTH_KEYS}{number}" for number in range(5)}
    assert count(server, MONTH_KEYS, "--prefix") == 0
    assert count(server, "", "--from-key") == before - len(gone)
