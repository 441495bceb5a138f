"""``etcdtool buckets``: the buckets of a database, and what stands in one of them."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
import msgspec

from etcdtool.cli._groups import command, write_out
from etcdtool.cli._lists import LISTED, bool_text, listed, source_argument
from etcdtool.cli._v2_nodes import text_or_base64
from etcdtool.cli.printers import Table, WriteOut
from etcdtool.cli.text import human_size, json_text, printable_bytes, quoted, safe_json
from etcdtool.model.shown import shown
from etcdtool.operations.buckets import bucket_figures, iter_pairs, iter_records
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from etcdtool.operations.buckets import BucketFigures
    from etcdtool.sources import Database

__all__ = ["buckets_command", "record_line"]


@dataclass(frozen=True, slots=True)
class _BucketsView:
    buckets: Sequence[BucketFigures]

    def simple(self) -> Iterable[str]:
        width = max((len(printable_bytes(one.name)) for one in self.buckets), default=0)
        for one in self.buckets:
            name = printable_bytes(one.name).ljust(width)
            if one.problem:
                yield f"{name}  unreadable"
                continue
            size = human_size(one.key_bytes + one.value_bytes)
            pages = "inline" if one.inline else f"{one.pages} pages, depth {one.depth}"
            yield f"{name}  {one.keys:>9,} keys  {size:>7}  {pages}"

    def table(self) -> Table:
        headers = ["bucket", "keys", "key bytes", "value bytes", "branch", "leaf", "overflow", "depth", "inline"]
        return Table(
            headers=headers,
            rows=[[printable_bytes(one.name), *(value for _, value in _numbers(one))] for one in self.buckets],
            left=frozenset({0}),
        )

    def fields(self) -> Iterable[tuple[str, str]]:
        for one in self.buckets:
            yield "Bucket", quoted(printable_bytes(one.name))
            yield from _numbers(one)
            yield "", ""

    def as_json(self) -> object:
        return {
            "buckets": [
                {
                    **text_or_base64("name", one.name),
                    "keys": one.keys,
                    "keyBytes": one.key_bytes,
                    "valueBytes": one.value_bytes,
                    "branchPages": one.branch_pages,
                    "leafPages": one.leaf_pages,
                    "overflowPages": one.overflow_pages,
                    "depth": one.depth,
                    "inline": one.inline,
                    "problem": one.problem or None,
                }
                for one in self.buckets
            ]
        }


def _numbers(one: BucketFigures) -> list[tuple[str, str]]:
    numbers = {
        "Keys": one.keys,
        "KeyBytes": one.key_bytes,
        "ValueBytes": one.value_bytes,
        "BranchPages": one.branch_pages,
        "LeafPages": one.leaf_pages,
        "OverflowPages": one.overflow_pages,
        "Depth": one.depth,
    }
    return [*((name, str(number)) for name, number in numbers.items()), ("Inline", bool_text(one.inline))]


def record_line(fields: Mapping[str, object]) -> str:
    """Return the fields of a record for people: ``put key="a" value_size=3 …``."""
    rest = dict(fields)
    kind = rest.pop("type")
    return " ".join([str(kind), *(f"{name}={_encoded(value)}" for name, value in rest.items())])


@command(
    "buckets",
    short_help="List the buckets of a database, or what stands in one.",
    examples=[
        "etcdtool buckets snapshot.db",
        "etcdtool buckets snapshot.db meta",
        "etcdtool buckets snapshot.db key --reverse --limit 10 --values",
    ],
    exit_codes=LISTED,
)
@source_argument
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--limit", type=click.IntRange(0), default=0, metavar="N", help="With NAME: at the most so many pairs.")
@click.option("--reverse", is_flag=True, help="With NAME: from the last pair on.")
@click.option("--values", is_flag=True, help="With NAME: values of keys too, not their sizes.")
@click.option("--raw", is_flag=True, help="With NAME: keys and values as they are stored, in hex.")
def buckets_command(*, source: Path, name: str | None, limit: int, reverse: bool, values: bool, raw: bool) -> None:
    """List the buckets of SOURCE with their keys, bytes, pages and the depth of their trees.

    With NAME, list what stands in that bucket, decoded, one line a pair; -w json prints JSON lines, as export has
    them. Values of keys are shown with --values only, the hashes of passwords only with --raw.
    """
    with open_database(source) as database:
        if name is not None:
            _show_pairs(database, os.fsencode(name), limit=limit, reverse=reverse, values=values, raw=raw)
            return
        figures = bucket_figures(database)
    problems = [f"bucket {printable_bytes(one.name)}: {one.problem}" for one in figures if one.problem]
    listed(_BucketsView(figures), problems)


def _show_pairs(database: Database, name: bytes, *, limit: int, reverse: bool, values: bool, raw: bool) -> None:
    as_json = write_out() is WriteOut.JSON
    if raw:
        for key, value in iter_pairs(database, name, limit=limit, reverse=reverse):
            line = json_text({"key": key.hex(), "value": value.hex()}) if as_json else f"{key.hex()}: {value.hex()}"
            sys.stdout.write(f"{line}\n")
        return
    for record in iter_records(database, name, limit=limit, reverse=reverse):
        fields = shown(record, values=values)
        sys.stdout.write(f"{_encoded(fields) if as_json else record_line(fields)}\n")


def _encoded(value: object) -> str:
    return str(value) if value.__class__ is int else safe_json(msgspec.json.encode(value).decode())
