"""``etcdtool k8s list``: the objects that a database holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from etcdtool.cli._groups import command
from etcdtool.cli._kubernetes import etcd_prefix_option, selection_of, selection_options
from etcdtool.cli._kubernetes_list import list_kubernetes
from etcdtool.cli.k8s import K8S_EXIT_STATUS

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
@click.argument("source", metavar="SOURCE", type=click.Path(path_type=Path, allow_dash=True))
@selection_options
@click.option("--rev", "revision", type=int, metavar="REV", help="As of this revision; the newest by default.")
@etcd_prefix_option
def list_command(source: Path, *, revision: int | None, **objects: Any) -> None:
    """List the objects that SOURCE holds, by their keys; of their values only the head is read.

    SOURCE is a snapshot, a database file, either of them compressed, a data dir, or - for stdin. --resource takes what
    kubectl takes: plurals, singulars and short names, with or without a group. Custom resources go by their plural.
    """
    list_kubernetes(source, selection_of(**objects), revision)
