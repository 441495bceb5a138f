"""``etcdtool v2 get``: one key."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import command, write_out
from etcdtool.cli._v2_nodes import clean_key, node_json, ttl_seconds
from etcdtool.cli._v2_source import opened, reading_options, rows_of, sources_argument
from etcdtool.cli.printers import Table, WriteOut, show
from etcdtool.cli.text import json_text, printable, printable_bytes, quoted
from etcdtool.cli.v2 import SOURCE_EXIT_STATUS
from etcdtool.errors import EtcdtoolError
from etcdtool.model.conversion import Node

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from etcdtool.operations.read_v2 import V2Data

__all__ = ["get_command"]


_ROOT = Node(path=b"/", value=b"", is_directory=True, child_count=0, created_index=0, modified_index=0, expires=None)
"""The root has no indexes of its own; rows begin below it."""


@dataclass(frozen=True, slots=True)
class _Found:
    """One node, its own expiration, and what lies directly in it."""

    node: Node
    own_expires: int | None
    as_of: int
    children: list[tuple[Node, int | None]]

    def simple(self) -> Iterable[str]:
        yield printable_bytes(self.node.value)

    def table(self) -> Table:
        return Table(headers=["field", "value"], rows=list(self.fields()), left=frozenset({0, 1}))

    def fields(self) -> Iterable[tuple[str, str]]:
        for name, value in self._record(self.node, self.own_expires).items():
            yield name, quoted(value) if isinstance(value, str) else json_text(value)

    def as_json(self) -> object:
        record = self._record(self.node, self.own_expires)
        if self.children:
            record["nodes"] = [self._record(*child) for child in self.children]
        return {"action": "get", "node": record}

    def _record(self, node: Node, own_expires: int | None) -> dict[str, Any]:
        record = node_json(node, own_expires)
        if own_expires is not None:
            record["ttl"] = ttl_seconds(own_expires, self.as_of)
        return record


@command(
    "get",
    short_help="Print the value of one key.",
    examples=[
        "etcdtool v2 get /var/lib/etcd /app/config > config",
        "etcdtool v2 get /var/lib/etcd /app/config -w json",
    ],
    exit_codes=SOURCE_EXIT_STATUS | {1: "it failed, or the key is not there"},
)
@sources_argument(required=False)
@reading_options
@click.argument("key", metavar="KEY", required=False)
def get_command(sources: tuple[Path, ...], key: str | None, **reading: Any) -> None:
    """Print the value of KEY, byte for byte as it was put; with -w json the node as the v2 API gives it.

    A directory has no value: -w json shows what lies directly in it, hidden nodes included.
    """
    form = write_out()
    if key is None or not sources:  # of a single word click makes the KEY; a person begins with the SOURCE
        raise click.MissingParameter(param_type="argument", param_hint="'KEY'" if key else "'SOURCE...'")
    with opened(sources, **reading) as data:
        found = _find(data, clean_key(os.fsencode(key)))
        if form is not WriteOut.SIMPLE:
            show(found, form)
        elif found.node.is_directory:
            raise EtcdtoolError(
                f"{printable_bytes(found.node.path)} is a directory", hint="List it with etcdtool v2 list --prefix."
            )
        else:
            _write_value(found.node.value)


def _find(data: V2Data, key: bytes) -> _Found:
    found: tuple[Node, int | None] | None = (_ROOT, None) if key == b"/" else None
    children: list[tuple[Node, int | None]] = []
    directory = key.rstrip(b"/")
    for node, own_expires in rows_of(data):
        if node.path == key:
            found = node, own_expires
        elif node.path.rpartition(b"/")[0] == directory:
            children.append((node, own_expires))
    if found is None:
        raise EtcdtoolError(f"{printable_bytes(key)}: key not found")
    return _Found(*found, data.as_of, children)


def _write_value(value: bytes) -> None:
    if sys.stdout.isatty():  # a value can hold what drives a terminal; a pipe gets it as it is
        print(printable(value.decode("utf-8", "surrogateescape"), newlines=True))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(value)
