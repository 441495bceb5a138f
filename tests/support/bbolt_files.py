"""Small bbolt files for tests: written by our writer, damaged on purpose, and read by both engines."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

from etcdtool.errors import FormatError
from etcdtool.formats import digest
from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.bbolt.freelist import free_pages
from etcdtool.formats.bbolt.page import Image, PageFlag
from etcdtool.formats.bbolt.writer import pack_page, write_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from etcdtool.formats.bbolt.cursor import Bucket
    from etcdtool.formats.bbolt.transaction import Edit

    Row = tuple[int, int, int, bytes, bytes]

META_SIZE = 56


def written(
    buckets: Mapping[bytes, Iterable[tuple[bytes, bytes]]], *, page_size: int = 1024, txid: int = 2
) -> bytearray:
    """Give the bytes of a file with these buckets."""
    out = io.BytesIO()
    done = write_database(out, buckets, page_size=page_size, txid=txid)
    assert out.tell() == done.size == len(out.getvalue()) == done.high_water_mark * page_size
    return bytearray(out.getvalue())


def numbered(count: int, size: int = 40) -> list[tuple[bytes, bytes]]:
    """Give pairs with keys of eight bytes, as many as it takes for leaf and branch pages."""
    return [(struct.pack(">Q", number), bytes([number % 251]) * size) for number in range(1, count + 1)]


def set_meta(data: bytearray, size_of_page: int, /, **fields: int) -> None:
    """Change fields of both metas and seal them again."""
    places = {
        "page_size": (8, "<I"),
        "root": (16, "<Q"),
        "freelist": (32, "<Q"),
        "high_water_mark": (40, "<Q"),
        "txid": (48, "<Q"),
    }
    for page in (0, 1):
        start = page * size_of_page + 16
        for name, value in fields.items():
            offset, form = places[name]
            struct.pack_into(form, data, start + offset, value)
        struct.pack_into("<Q", data, start + META_SIZE, digest.fnv1a64(data[start : start + META_SIZE]))


def applied(data: bytes, edit: Edit, *, writes: int | None = None) -> bytes:
    """Give the file after a transaction, or after the first so many of its writes; the meta is the last."""
    changed = bytearray(data.ljust(edit.size, b"\0"))
    for offset, piece in [*edit.pages, edit.meta][:writes]:
        changed[offset : offset + len(piece)] = piece
    return bytes(changed)


def with_freelist(data: bytes) -> bytes:
    """Give a file with its free pages persisted, as etcd leaves it on anything but Linux."""
    image = Image.open(memoryview(data))
    free, page_size, first = free_pages(image), image.page_size, image.high_water_mark
    body = b"".join(struct.pack("<Q", page_id) for page_id in free)
    page = pack_page(first, PageFlag.FREELIST, len(free), [body], len(body), page_size=page_size)
    whole = bytearray(data[: first * page_size] + page)
    set_meta(whole, page_size, freelist=first, high_water_mark=len(whole) // page_size)
    return bytes(whole)


def plain_rows(image: Image, bucket: Bucket) -> list[Row]:
    """Give a bucket's pairs by the plain walk: page, flags, key offset, key, value."""
    items = cursor.iter_items(image, bucket)
    return [(item.page, item.flags, item.offset, item.key, bytes(item.value)) for item in items]


def column_rows(image: Image, bucket: Bucket, pages_per_block: int = 2) -> list[Row]:
    """Give a bucket's pairs by columns, in the same form."""
    rows: list[Row] = []
    for block in columns.iter_blocks(image, bucket, pages_per_block=pages_per_block):
        names = ("page", "flags", "key_start", "value_start", "value_end")
        for page, flags, key, value, end in zip(*(getattr(block, name).tolist() for name in names), strict=True):
            rows.append((page, flags, key, bytes(image.data[key:value]), bytes(image.data[value:end])))
        joined = b"".join(bytes(image.data[start:stop]) for start, stop in block.runs())
        assert joined == b"".join(key + value for _, _, _, key, value in rows[len(rows) - len(block) :])
    return rows


def outcome(read: Callable[[], list[Row]]) -> list[Row] | str:
    """Give what was read, or the word "error"; anything but an error of ours goes through."""
    try:
        return read()
    except FormatError:
        return "error"
