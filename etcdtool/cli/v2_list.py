"""``etcdtool v2 list``: keys, sizes and expirations; values only come from ``v2 get`` and ``v2 export``."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import command, write_out
from etcdtool.cli._v2_nodes import clean_key, is_under, node_json, ttl_seconds
from etcdtool.cli._v2_source import opened, rows_of, source_options
from etcdtool.cli.printers import Table, show
from etcdtool.cli.text import human_size, json_text, printable_bytes, quoted
from etcdtool.cli.times import rfc3339
from etcdtool.cli.v2 import SOURCE_EXIT_STATUS
from etcdtool.errors import EtcdtoolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from etcdtool.model.conversion import Node
    from etcdtool.operations.read_v2 import V2Data

__all__ = ["list_command"]


@dataclass(frozen=True, slots=True)
class _Listing:
    data: V2Data
    rows: Iterable[tuple[Node, int | None]]

    def simple(self) -> Iterable[str]:
        return (_shown_key(node) for node, _ in self.rows)

    def table(self) -> Table:
        return Table(
            headers=["key", "size", "modified", "expires in"],
            rows=[
                [
                    _shown_key(node),
                    "" if node.is_directory else human_size(len(node.value)),
                    str(node.modified_index),
                    _remaining(node.expires, self.data.as_of),
                ]
                for node, _ in self.rows
            ],
            left=frozenset({0}),
        )

    def fields(self) -> Iterable[tuple[str, str]]:
        for node, own_expires in self.rows:
            for name, value in node_json(node, own_expires, with_value=False).items():
                yield name, quoted(value) if isinstance(value, str) else json_text(value)
            yield "", ""

    def as_json(self) -> object:
        return {
            "as_of": rfc3339(self.data.as_of),
            "complete": self.data.complete,
            "nodes": [node_json(node, own_expires, with_value=False) for node, own_expires in self.rows],
        }


@command(
    "list",
    short_help="List the keys, hidden ones included.",
    examples=[
        "etcdtool v2 list /var/lib/etcd",
        "etcdtool v2 list /var/lib/etcd --prefix /app -w table",
        "etcdtool v2 list c1.etcd c2.etcd c3.etcd --tail apply",
    ],
    exit_codes=SOURCE_EXIT_STATUS,
)
@source_options
@click.option("--prefix", metavar="KEY", default="/", help="List only this key and what lies in it.")
def list_command(sources: tuple[Path, ...], prefix: str, **reading: Any) -> None:
    """List the keys of SOURCE in path order, hidden ones included; a directory ends with a slash.

    Values are not shown: they can be secrets. -w table adds sizes, indexes and what remains of TTLs at --as-of.
    """
    form = write_out()
    with opened(sources, **reading) as data:
        show(_Listing(data, _under(rows_of(data), clean_key(os.fsencode(prefix)))), form)


def _under(rows: Iterator[tuple[Node, int | None]], prefix: bytes) -> Iterator[tuple[Node, int | None]]:
    found = ((node, own_expires) for node, own_expires in rows if is_under(node.path, prefix))
    first = next(found, None)
    if first is None:
        raise EtcdtoolError(f"{printable_bytes(prefix)}: key not found")
    return itertools.chain([first], found)


def _shown_key(node: Node) -> str:
    return printable_bytes(node.path) + ("/" if node.is_directory else "")


def _remaining(expires: int | None, as_of: int) -> str:
    """Return what remains of a TTL in its two largest units: ``9d 23h``."""
    if expires is None:
        return ""
    seconds = ttl_seconds(expires, as_of)
    if seconds <= 0:
        return "expired"
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])
