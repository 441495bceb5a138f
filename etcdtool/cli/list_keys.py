"""``etcdtool list``: what lies under a prefix, level by level, with numbers of keys and sizes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import command, write_out
from etcdtool.cli._int64 import Int64
from etcdtool.cli._kubernetes import selection_of
from etcdtool.cli._kubernetes_list import list_kubernetes
from etcdtool.cli._kubernetes_options import etcd_prefix_option, selection_options
from etcdtool.cli._scanned import LOOK_EXIT_STATUS, opened_rows, source_argument
from etcdtool.cli._v2_nodes import text_or_base64
from etcdtool.cli.fitting import hanging
from etcdtool.cli.printers import Table, WriteOut, note, show
from etcdtool.cli.text import human_size, printable_bytes
from etcdtool.errors import UsageError
from etcdtool.model.gotext import quoted_bytes
from etcdtool.operations.browse import browse

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from etcdtool.operations.browse import Level, Listing

__all__ = ["list_command"]

_HEADERS = ("keys", "size", "name")


def _cells(level: Level) -> list[str]:
    return [str(level.keys), human_size(level.key_bytes + level.value_bytes), printable_bytes(level.name)]


def _line(cells: Iterable[str]) -> str:
    keys, size, name = cells
    return hanging(f"{keys:>10}  {size:>6}  ", name)


@dataclass(frozen=True, slots=True)
class _View:
    found: Listing

    def simple(self) -> Iterable[str]:
        yield _line(header.upper() for header in _HEADERS)
        yield from map(_line, map(_cells, self.found.levels))

    def table(self) -> Table:
        return Table(headers=_HEADERS, rows=[_cells(level) for level in self.found.levels], left=frozenset({2}))

    def fields(self) -> Iterable[tuple[str, str]]:
        for level in self.found.levels:
            yield "Name", quoted_bytes(level.name)
            yield "Keys", str(level.keys)
            yield "KeyBytes", str(level.key_bytes)
            yield "ValueBytes", str(level.value_bytes)
            yield "IsKey", "true" if level.is_key else "false"
            yield "", ""

    def as_json(self) -> object:
        return {
            "revision": self.found.revision,
            "keys": self.found.keys,
            "size": self.found.size,
            "levels": [
                {
                    **text_or_base64("name", level.name),
                    "keys": level.keys,
                    "key_bytes": level.key_bytes,
                    "value_bytes": level.value_bytes,
                    "is_key": level.is_key,
                }
                for level in self.found.levels
            ],
        }


@command(
    "list",
    short_help="List keys level by level, with their number and sizes.",
    examples=[
        "etcdtool list snapshot.db",
        "etcdtool list snapshot.db /registry/ --depth 2",
        "etcdtool list /var/lib/etcd --rev 1200 -w json",
    ],
    exit_codes=LOOK_EXIT_STATUS,
)
@source_argument
@click.argument("prefix", metavar="[PREFIX]", default="")
@click.option("--separator", metavar="CHARACTER", default="/", show_default=True, help="What levels end with.")
@click.option(
    "--depth",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    metavar="N",
    help="Show N levels below PREFIX.",
)
@click.option("--rev", "revision", type=Int64(), default=0, metavar="REV", help="List what was there at this revision.")
@click.option("--k8s", is_flag=True, help="List objects of Kubernetes instead; any flag below does so too.")
@selection_options
@etcd_prefix_option
def list_command(
    source: Path, prefix: str, *, separator: str, depth: int, revision: int, k8s: bool, **objects: Any
) -> None:
    """List what lies below PREFIX: levels, which end with a separator, and keys.

    KEYS counts the keys of a level, SIZE adds up their own bytes and those of their values. Values are not shown:
    they can be secrets.

    With --k8s the objects below PREFIX are listed, as etcdtool k8s list does.
    """
    if k8s or any(objects.values()):
        list_kubernetes(source, selection_of(**objects), revision, prefix=os.fsencode(prefix))
        return
    form = write_out()
    octets = os.fsencode(separator)
    if len(octets) != 1:
        raise UsageError(f"--separator is {separator!r}", hint="Give one character of ASCII.")
    with opened_rows(source, "list") as opened:
        found = browse(
            opened.image,
            os.fsencode(prefix),
            separator=octets,
            depth=depth,
            revision=max(revision, 0),
            find=opened.find,
            advance=opened.advance,
        )
    show(_View(found), form)
    if form is WriteOut.SIMPLE:
        keys = "1 key" if found.keys == 1 else f"{found.keys} keys"
        note(f"{keys}, {human_size(found.size)}, at revision {found.revision}")
