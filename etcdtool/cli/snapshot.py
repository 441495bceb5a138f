"""``etcdtool snapshot``: v3 snapshot files and databases."""

from __future__ import annotations

from etcdtool.cli._groups import LazyGroup

__all__ = ["snapshot_group"]

_COMMANDS = {
    "status": ("etcdtool.cli.snapshot_status:status_command", "Print hash, revision, keys and size, as etcdutl does."),
    "restore": (
        "etcdtool.cli.snapshot_restore:restore_command",
        "Make the data dir of a new cluster's member from a snapshot.",
    ),
    "verify": (
        "etcdtool.cli.snapshot_verify:verify_command",
        "Check snapshots and data dirs: trailer, pages, revisions, log.",
    ),
    "diff": ("etcdtool.cli.snapshot_diff:diff_command", "Say what two snapshots or members hold otherwise."),
    "salvage": (
        "etcdtool.cli.snapshot_salvage:salvage_command",
        "Write what a damaged snapshot still holds to a new one.",
    ),
}

snapshot_group = LazyGroup(
    "snapshot",
    lazy=_COMMANDS,
    upstream=True,
    help="Look at and check v3 snapshot files, without changing a byte of them.",
    short_help="Look at and check v3 snapshot files.",
    examples=["etcdtool snapshot status snapshot.db -w table", "etcdtool snapshot verify snapshot.db"],
)
