"""``etcdtool check``: what ``etcdutl check`` of 3.5 had; later ones have it no more."""

from __future__ import annotations

from etcdtool.cli._groups import LazyGroup

__all__ = ["check_group"]

_COMMANDS = {
    "v2store": (
        "etcdtool.cli.check_v2store:v2store_command",
        "Check for custom content in v2store, as etcdutl 3.5 does.",
    ),
}

check_group = LazyGroup(
    "check",
    lazy=_COMMANDS,
    upstream=True,
    short_help="Check for custom v2 content with the words of etcdutl 3.5.",
    help="Check properties of a data dir, with the words and exit codes of etcdutl 3.5.",
    examples=["etcdtool check v2store --data-dir /var/lib/etcd"],
    exit_codes={0: "it passes", 1: "it does not pass, or it failed"},
)
