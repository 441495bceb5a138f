"""``etcdtool k8s list``: the objects that a database holds."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import command, write_out
from etcdtool.cli._kubernetes import selection_options
from etcdtool.cli.k8s import K8S_EXIT_STATUS
from etcdtool.cli.printers import Table, show
from etcdtool.cli.text import human_size, printable, quoted
from etcdtool.model.keyspace import Keyspace
from etcdtool.model.kubernetes.selection import Selection
from etcdtool.model.kubernetes_keys import ETCD_PREFIXES
from etcdtool.operations.kubernetes import ListedObject, list_objects, other_key_count
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["list_command"]

_HEADERS = ("api version", "kind", "namespace", "name", "revision", "size")
_RIGHT = 2
"""Columns that are numbers, at the end."""


@dataclass(frozen=True, slots=True)
class _Listing:
    """A list; a kind that a value does not tell is named by the resource, in brackets."""

    objects: list[ListedObject]

    def _rows(self) -> list[list[str]]:
        return [_cells(item) for item in self.objects]

    def simple(self) -> Iterable[str]:
        rows = [[header.upper() for header in _HEADERS], *self._rows()] if self.objects else []
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = [
                cell.ljust(width) if place < len(row) - _RIGHT else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            yield "  ".join(cells)

    def table(self) -> Table:
        return Table(headers=_HEADERS, rows=self._rows(), left=frozenset(range(len(_HEADERS) - _RIGHT)))

    def fields(self) -> Iterable[tuple[str, str]]:
        for number, item in enumerate(self.objects):
            if number:
                yield "", ""
            for name, value in _record(item).items():
                yield name, quoted(value) if isinstance(value, str) else str(value)

    def as_json(self) -> list[dict[str, Any]]:
        return [_record(item) for item in self.objects]


def _cells(item: ListedObject) -> list[str]:
    head, named = item.head, item.named
    unsaid = f"({'encrypted ' if head.encryption else ''}{named.group_resource})"
    kind = head.kind or unsaid
    words = (head.api_version or "-", kind, named.namespace or "-", named.name)
    return [*map(printable, words), str(item.revision), human_size(item.size)]


def _record(item: ListedObject) -> dict[str, Any]:
    head, named = item.head, item.named
    return {
        "apiVersion": head.api_version,
        "kind": head.kind,
        "resource": named.group_resource,
        "namespace": named.namespace,
        "name": named.name,
        "revision": item.revision,
        "size": item.size,
        "storedAs": head.form.value,
        "key": item.key.decode(),  # of other keys nothing is known that could be listed
    }


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
@click.option(
    "--etcd-prefix",
    "etcd_prefixes",
    multiple=True,
    metavar="PREFIX",
    help="Where the API server keeps objects; /registry and those of OpenShift by default.",
)
def list_command(
    source: Path, resource: str, namespace: str, revision: int | None, etcd_prefixes: tuple[str, ...]
) -> None:
    """List the objects that SOURCE holds, by their keys; of their values only the head is read.

    SOURCE is a snapshot, a database file, either of them compressed, a data dir, or - for stdin. --resource takes what
    kubectl takes: plurals, singulars and short names, with or without a group. Custom resources go by their plural.
    """
    prefixes = tuple(f"/{prefix.strip('/')}".encode() for prefix in etcd_prefixes) or ETCD_PREFIXES
    selection = Selection(resource=resource, namespace=namespace, prefixes=prefixes)
    with open_database(source, whole=True) as database:
        keyspace = Keyspace.read(database.image)
        listing = _Listing(list(list_objects(keyspace, selection, revision)))
        others = 0 if resource or namespace else other_key_count(keyspace, revision, prefixes=prefixes)
        show(listing, write_out())
    if not listing.objects:
        print(
            f"no objects{' of that kind' if resource or namespace else ''} in {printable(str(source))}", file=sys.stderr
        )
    if others:
        print(f"{others} keys are no objects, and are not listed", file=sys.stderr)
