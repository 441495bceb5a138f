"""``etcdtool k8s``: objects of Kubernetes in a v3 database."""

from __future__ import annotations

from etcdtool.cli._groups import LazyGroup, exit_status

__all__ = ["K8S_EXIT_STATUS", "k8s_group"]

K8S_EXIT_STATUS = exit_status({1: "it failed: an input that cannot be opened, an object that is not there"})

_COMMANDS = {
    "list": ("etcdtool.cli.k8s_list:list_command", "List objects: kind, namespace, name, revision, size."),
    "restore-manifest": (
        "etcdtool.cli.k8s_restore_manifest:restore_manifest_command",
        "Print one object as a manifest for kubectl apply.",
    ),
}

k8s_group = LazyGroup(
    "k8s",
    lazy=_COMMANDS,
    help="Look at the objects of Kubernetes in a snapshot, a database file or a data dir, without a server.",
    short_help="Objects of Kubernetes: list them, and get one back as a manifest.",
    exit_codes=K8S_EXIT_STATUS,
    examples=[
        "etcdtool k8s list snapshot.db --resource pods --namespace shop",
        "etcdtool k8s restore-manifest snapshot.db /registry/configmaps/shop/prices",
    ],
)
