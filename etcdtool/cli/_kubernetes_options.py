"""The options of every command that shows objects of Kubernetes; what reads the objects is loaded when one is given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from etcdtool.cli._kubernetes import Kubernetes

__all__ = [
    "FORMS",
    "etcd_prefix_option",
    "kubernetes_options",
    "object_options",
    "reader_options",
    "selection_options",
    "take_kubernetes",
]

FORMS = ("yaml", "json")
_OPTIONS = (
    "k8s",
    "k8s_form",
    "resource",
    "namespace",
    "descriptor_set",
    "encryption_config",
    "show_secrets",
    "etcd_prefixes",
)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
etcd_prefix_option = click.option(
    "--etcd-prefix",
    "etcd_prefixes",
    multiple=True,
    metavar="PREFIX",
    help="Where the API server keeps objects; /registry and those of OpenShift by default.",
)
_Function = TypeVar("_Function", bound="Callable[..., Any]")


def reader_options(function: _Function) -> _Function:
    """Add the options that say how values are read."""
    return _decorated(
        function,
        click.option(
            "--descriptor-set",
            type=_FILE,
            metavar="FILE",
            help="Names of the fields of objects that are stored as protobuf, as protoc writes them.",
        ),
        click.option(
            "--encryption-config",
            type=_FILE,
            metavar="FILE",
            help="EncryptionConfiguration of the API server: decrypts aescbc, aesgcm and secretbox.",
        ),
        click.option("--show-secrets", is_flag=True, help="Print the values of Secrets, which are redacted otherwise."),
        etcd_prefix_option,
    )


def selection_options(function: _Function) -> _Function:
    """Add ``--resource`` and ``--namespace``."""
    return _decorated(
        function,
        click.option(
            "--resource", default="", metavar="NAME", help="Objects of a resource: pods, cm, widgets.example.com."
        ),
        click.option("--namespace", default="", metavar="NAME", help="Objects of a namespace."),
    )


def kubernetes_options(function: _Function) -> _Function:
    """Add ``--k8s`` and what belongs to it; `take_kubernetes` takes them out of what the command was given."""
    form = click.option("--k8s-form", type=click.Choice(FORMS), help="Form of the objects, yaml by default.")
    return object_options(form(function))


def object_options(function: _Function) -> _Function:
    """Add the same without ``--k8s-form``, for commands whose output has a form already."""
    k8s = click.option("--k8s", is_flag=True, help="Show values as objects of Kubernetes; any flag below does so too.")
    return k8s(selection_options(reader_options(function)))


def take_kubernetes(given: dict[str, Any]) -> Kubernetes | None:
    """Take the options of `kubernetes_options` out of a command's; None where none of them was given.

    Raises:
        EtcdtoolError: a file that they name cannot be read.
    """
    asked = {name: given.pop(name, None) for name in _OPTIONS}
    if not any(asked.values()):
        return None
    from etcdtool.cli._kubernetes import kubernetes_from  # noqa: PLC0415  most calls go without

    del asked["k8s"]
    return kubernetes_from(form=asked.pop("k8s_form") or FORMS[0], **asked)


def _decorated(function: _Function, *options: Callable[[_Function], _Function]) -> _Function:
    for option in reversed(options):
        function = option(function)
    return function
