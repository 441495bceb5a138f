"""``etcdtool v2``: what a v2 store holds, from a data dir, a backup, a ``.snap`` or a dump."""

from __future__ import annotations

from etcdtool.cli._groups import LazyGroup, exit_status

__all__ = ["SOURCE_EXIT_STATUS", "v2_group"]

SOURCE_EXIT_STATUS = exit_status(
    {3: "the answer is no: the source holds no v2 keys, or entries at the end of its log need --tail"}
)

_COMMANDS = {
    "status": ("etcdtool.cli.v2_status:status_command", "Say what a source is and what it holds."),
    "list": ("etcdtool.cli.v2_list:list_command", "List the keys, hidden ones included."),
    "get": ("etcdtool.cli.v2_get:get_command", "Print the value of one key."),
    "export": ("etcdtool.cli.v2_export:export_command", "Print every node as one line of JSON."),
    "check": (
        "etcdtool.cli.v2_check:check_command",
        "Say whether etcd 3.6 and 3.7 start on a data dir, and what they would lose.",
    ),
    "members": ("etcdtool.cli.v2_members:members_command", "List the members of the cluster."),
    "drop": ("etcdtool.cli.v2_drop:drop_command", "Take v2 content out of the way of etcd 3.6 and 3.7."),
}

v2_group = LazyGroup(
    "v2",
    lazy=_COMMANDS,
    help="""Look at v2 data without a server, and take it out of the way of later ones.

    SOURCE is a data dir of etcd 2.2 to 3.5, its member folder, a folder made by etcdctl backup, a single .snap file,
    a JSON dump of GET /v2/keys/?recursive=true, or a tar of any of these, plain, .gz or .zst. Several data dirs are
    read as one cluster.
    """,
    short_help="Look at v2 data: status, list, get, export, check, members, drop.",
    exit_codes=SOURCE_EXIT_STATUS,
    examples=["etcdtool v2 status /var/lib/etcd", "etcdtool v2 export /var/lib/etcd > nodes.jsonl"],
)
