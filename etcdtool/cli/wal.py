"""``etcdtool wal``: the raft log of a data dir."""

from __future__ import annotations

from etcdtool.cli._groups import LazyGroup

__all__ = ["wal_group"]

wal_group = LazyGroup(
    "wal",
    lazy={
        "dump": ("etcdtool.cli.wal_dump:dump_command", "Print the entries of a log, decoded."),
        "verify": (
            "etcdtool.cli.wal_verify:verify_command",
            "Check every record of a log, and say where it is damaged.",
        ),
    },
    help="Look at the raft log of a data dir, damaged ones too, without changing a byte of it.",
    short_help="Look at the raft log: dump, verify.",
    examples=["etcdtool wal dump /var/lib/etcd --type put,txn", "etcdtool wal verify /var/lib/etcd"],
)
