"""What real servers answer on a data dir, to compare with what they answer on another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support.servers import Server

if TYPE_CHECKING:
    from pathlib import Path

ROOT = ("--user", "root:rootpw")


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
