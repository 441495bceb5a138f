"""``etcdtool page``: pages of a database, as ``bbolt pages``, ``bbolt page`` and ``bbolt dump`` show them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import command
from etcdtool.cli._lists import LISTED, listed, source_argument
from etcdtool.cli._v2_nodes import text_or_base64
from etcdtool.cli.buckets import record_line
from etcdtool.cli.printers import Table
from etcdtool.cli.text import printable_bytes, quoted
from etcdtool.errors import FormatError
from etcdtool.formats.bbolt.cursor import BUCKET_HEADER
from etcdtool.formats.bbolt.page import HEADER
from etcdtool.model import schema
from etcdtool.model.exported import Pair
from etcdtool.model.shown import record_of_any, shown
from etcdtool.operations.pages import Pager
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from etcdtool.operations.pages import Element, PageContent, PageList, PageRow

__all__ = ["page_command"]

_LINE = "{:<8} {:<10} {:<6} {:<6} {}"
_BYTES_A_LINE = 16
_SEPARATOR = "==============================================="


@dataclass(frozen=True, slots=True)
class _ListView:
    pages: PageList

    def simple(self) -> Iterable[str]:
        yield _LINE.format("ID", "TYPE", "ITEMS", "OVRFLW", "BUCKET")
        yield _LINE.format("=" * 8, "=" * 10, "=" * 6, "=" * 6, "=" * 6)
        for row in self.pages.rows:
            yield _LINE.format(*_cells(row)).rstrip()

    def table(self) -> Table:
        headers = ["id", "type", "items", "overflow", "bucket"]
        return Table(headers=headers, rows=[_cells(row) for row in self.pages.rows], left=frozenset({1, 4}))

    def fields(self) -> Iterable[tuple[str, str]]:
        for row in self.pages.rows:
            names = ("ID", "Type", "Items", "Overflow", "Bucket")
            yield from ((name, cell) for name, cell in zip(names, _cells(row), strict=True) if cell)
            yield "", ""

    def as_json(self) -> object:
        return {"pages": [_row_json(row) for row in self.pages.rows]}


def _cells(row: PageRow) -> list[str]:
    bucket = "" if row.bucket is None else printable_bytes(row.bucket) or "(root)"
    count = "" if row.count is None else str(row.count)
    return [str(row.id), row.kind, count, str(row.overflow or ""), f"{bucket} {row.note}".strip()]


def _row_json(row: PageRow) -> dict[str, Any]:
    bucket = {} if row.bucket is None else text_or_base64("bucket", row.bucket)
    return {
        "id": row.id,
        "type": row.kind,
        "count": row.count,
        "overflow": row.overflow,
        **bucket,
        "note": row.note or None,
    }


@dataclass(frozen=True, slots=True)
class _PagesView:
    pages: Sequence[PageContent]
    values: bool
    as_hex: bool

    def simple(self) -> Iterable[str]:
        for number, page in enumerate(self.pages):
            if number:
                yield _SEPARATOR
            yield from self._page(page)

    def _page(self, page: PageContent) -> Iterable[str]:
        yield f"Page ID:    {page.stored_id}"
        yield f"Page Type:  {page.row.kind}"
        yield f"Total Size: {len(page.data)} bytes"
        yield f"Overflow pages: {page.row.overflow}"
        if page.problem:
            yield f"Problem:    page {page.row.id}: {printable_bytes(page.problem.encode())}"
        if self.as_hex:
            yield ""
            yield from _hex_lines(page.data, page.offset)
            return
        if page.meta is not None:
            yield from (f"{name + ':':<11} {value}" for name, value in _meta_fields(page))
        elif page.row.kind in {"leaf", "branch"}:
            yield f"Item Count: {page.row.count}"
            yield ""
            yield from (_element_line(one, values=self.values) for one in page.elements)
        elif page.row.kind == "freelist":
            yield f"Item Count: {len(page.free)}"
            yield ""
            yield from map(str, page.free)
        yield ""

    def table(self) -> Table:
        rows = [
            [str(page.row.id), str(one.index), _element_line(one, values=self.values)]
            for page in self.pages
            for one in page.elements
        ]
        return Table(headers=["page", "item", "content"], rows=rows, left=frozenset({2}))

    def fields(self) -> Iterable[tuple[str, str]]:
        for page in self.pages:
            yield "ID", str(page.stored_id)
            yield "Type", quoted(page.row.kind)
            yield "Items", str(page.row.count)
            yield "Overflow", str(page.row.overflow)
            yield "Offset", str(page.offset)
            if page.problem:
                yield "Problem", quoted(page.problem)
            if page.meta is not None:
                yield from _meta_fields(page)
            for one in page.elements:
                yield "Item", quoted(_element_line(one, values=self.values))
            yield "", ""

    def as_json(self) -> object:
        return {"pages": [self._json(page) for page in self.pages]}

    def _json(self, page: PageContent) -> dict[str, Any]:
        found = _row_json(page.row) | {
            "id": page.row.id,
            "storedId": page.stored_id,
            "offset": page.offset,
            "size": len(page.data),
            "note": page.problem or None,
        }
        if page.meta is not None:
            found["meta"] = {name: value for name, value in _meta_fields(page)}  # noqa: C416  reads better
        if page.row.kind in {"leaf", "branch"}:
            found["items"] = [_element_json(one, values=self.values) for one in page.elements]
        if page.row.kind == "freelist":
            found["free"] = list(page.free)
        if self.as_hex:
            found["hex"] = page.data.hex()
        return found


def _meta_fields(page: PageContent) -> list[tuple[str, str]]:
    meta = page.meta
    assert meta is not None
    _, version, _, flags = struct.unpack_from("<IIII", page.data, HEADER.size)
    return [
        ("Version", str(version)),
        ("Page Size", f"{meta.page_size} bytes"),
        ("Flags", f"{flags:08x}"),
        ("Root", f"<pgid={meta.root}>"),
        ("Freelist", f"<pgid={meta.freelist}>"),
        ("HWM", f"<pgid={meta.high_water_mark}>"),
        ("Txn ID", str(meta.txid)),
        ("Checksum", f"{meta.checksum:016x}"),
    ]


def _element_json(one: Element, *, values: bool) -> dict[str, Any]:
    if one.key is None:
        return {"item": one.index, "readable": False}
    found: dict[str, Any] = {"item": one.index, **text_or_base64("key", one.key)}
    if one.child is not None:
        return found | {"child": one.child}
    assert one.value is not None
    found["valueSize"] = len(one.value)
    if one.is_bucket:
        return found | {"bucket": _bucket_text(one.value)}
    if values:
        found |= text_or_base64("value", one.value)
    return found


def _element_line(one: Element, *, values: bool) -> str:
    if one.key is None:
        return f"{one.index}: unreadable"
    key = _bytes_text(one.key)
    if one.child is not None:
        return f"{key}: <pgid={one.child}>"
    assert one.value is not None
    if one.is_bucket:
        return f"{key}: {_bucket_text(one.value)}"
    record = record_of_any(schema.KEY, one.key, one.value)
    if not isinstance(record, Pair):
        return f"{key}: {record_line(shown(record, values=values))}"
    return f"{key}: {_bytes_text(one.value) if values else f'{len(one.value)} bytes'}"


def _bytes_text(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data.hex()
    return f'"{text}"' if text.isprintable() else data.hex()


def _bucket_text(value: bytes) -> str:
    if len(value) < BUCKET_HEADER.size:
        return f"<a bucket's header of {len(value)} bytes>"
    root, sequence = BUCKET_HEADER.unpack(value[: BUCKET_HEADER.size])
    return f"<pgid={root},seq={sequence}>"


def _hex_lines(data: memoryview, offset: int) -> Iterable[str]:
    """Yield lines as ``bbolt dump`` prints them, repeated ones as a star."""
    before, skipping = b"", False
    for at in range(0, len(data), _BYTES_A_LINE):
        line = bytes(data[at : at + _BYTES_A_LINE])
        if line == before and at + _BYTES_A_LINE < len(data):
            if not skipping:
                yield f"{offset + at:07x} *"
            skipping = True
        else:
            skipping = False
            yield f"{offset + at:07x} {line.hex(' ', 2)}"
        before = line
    yield ""


@command(
    "page",
    short_help="List the pages of a database, or show some of them.",
    examples=[
        "etcdtool page snapshot.db",
        "etcdtool page snapshot.db 0 1",
        "etcdtool page snapshot.db 17 --hex",
    ],
    exit_codes=LISTED,
)
@source_argument
@click.argument("ids", metavar="[ID]...", nargs=-1, type=click.IntRange(0))
@click.option("--values", is_flag=True, help="Show values, not their sizes.")
@click.option("--hex", "as_hex", is_flag=True, help="Show the bytes, as bbolt dump does.")
def page_command(*, source: Path, ids: tuple[int, ...], values: bool, as_hex: bool) -> None:
    """List the pages of SOURCE with type, items, overflow and bucket; with IDs, show what is on these.

    Damaged pages are shown as far as they can be read, with what is wrong with them; also where no meta page can be
    used. Free pages have no items; what their header still says is shown when they are asked for by ID.
    """
    with open_database(source) as database:
        pager = Pager(database)
        if not ids:
            pages = pager.listed()
            notes = [f"page {row.id}: {row.note}" for row in pages.rows if row.note]
            listed(_ListView(pages), [*pages.problems, *notes])
            return
        found, problems = [], []
        for page_id in ids:
            try:
                page = pager.content(page_id)
            except FormatError as error:
                problems.append(str(error))
                continue
            found.append(page)
            if page.problem:
                problems.append(f"page {page.row.id}: {page.problem}")
        listed(_PagesView(found, values, as_hex), problems)
