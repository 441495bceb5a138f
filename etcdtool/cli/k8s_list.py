"""``etcdtool k8s list``: the objects that a database holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import command
from etcdtool.cli._int64 import Int64
from etcdtool.cli._kubernetes import selection_of
from etcdtool.cli._kubernetes_list import list_kubernetes
from etcdtool.cli._kubernetes_options import etcd_prefix_option, selection_options
from etcdtool.cli._scanned import source_argument
from etcdtool.cli.k8s import K8S_EXIT_STATUS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["list_command"]


@command(
    "list",
    short_help="List objects: kind, namespace, name, revision, size.",
    examples=[
        "etcdtool k8s list snapshot.db",
        "etcdtool k8s list snapshot.db --resource secrets --namespace kube-system",
        "etcdtool k8s list /var/lib/etcd --rev 481516 -w json",
    ],
    exit_codes=K8S_EXIT_STATUS,
)
@source_argument
@selection_options
@click.option("--rev", "revision", type=Int64(), default=0, metavar="REV", help="List what was there at this revision.")
@etcd_prefix_option
def list_command(source: Path, *, revision: int, **objects: Any) -> None:
    """List the objects that SOURCE holds, by their keys; of their values only the head is read.

    SOURCE is a snapshot, a database file, either of them compressed, a data dir, or - for stdin. --resource takes what
    kubectl takes: plurals, singulars and short names, with or without a group. Custom resources go by their plural.
    """
    list_kubernetes(source, selection_of(**objects), revision)
