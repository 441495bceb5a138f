"""``etcdtool index``: the side index of big files."""

from __future__ import annotations

from etcdtool.cli._groups import LazyGroup

__all__ = ["index_group"]

_COMMANDS = {
    "build": ("etcdtool.cli.index_build:build_command", "Index files now, so that no look-up has to wait."),
    "list": ("etcdtool.cli.index_list:list_command", "List the indexes in the cache folder."),
    "drop": ("etcdtool.cli.index_drop:drop_command", "Take indexes away; no database is touched."),
}

index_group = LazyGroup(
    "index",
    lazy=_COMMANDS,
    help="The side index of a database file leads from a key to its revisions without a scan. It stands in the user's "
    "cache folder, is made on request (--index) and by itself of files above 2 GB, and can be dropped at any time.",
    short_help="Make, list and drop the side index of big files.",
    examples=["etcdtool index list", "etcdtool index drop --stale"],
)
