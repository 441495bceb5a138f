"""A small edit of a database in a data dir: of a copy beside it, which takes its place once it was read back."""

from __future__ import annotations

import mmap
import os
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.errors import FormatError
from etcdtool.findings import Severity
from etcdtool.formats.bbolt.cursor import iter_items, root_bucket, root_buckets
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.bbolt.tree_check import TreeCheck, check_inline
from etcdtool.targets import Replacement, copy_bytes, write_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from etcdtool.findings import Finding
    from etcdtool.formats.bbolt.transaction import Edit
    from etcdtool.sources import InputFile
    from etcdtool.targets import Hold

    Progress = Callable[[int, int], None]

__all__ = ["edit_in_place"]

_CHUNK_SIZE = 8 << 20
_HINT = "Nothing was changed. Try another disk; if it happens again, please report it"


def edit_in_place(
    file: InputFile,
    image: Image,
    edit: Edit,
    *,
    bucket: bytes,
    pairs: Mapping[bytes, bytes],
    hold: Hold,
    verb: str,
    keep: bool,
    progress: Progress | None = None,
) -> Path | None:
    """Put an edited copy of a database in its place; return the name under which the old one is kept, if it is.

    Args:
        file: the database, by its own name and no link's.
        image: of it.
        edit: what changes; it leaves every page of the file's present state alone.
        bucket: the one bucket that it changes.
        pairs: all that is in the bucket then.
        hold: the locks of the data dir.
        verb: for the name of the old file.
        keep: whether it is kept.
        progress: is called with the bytes read back and the bytes there are.

    Raises:
        FormatError: the copy came back otherwise than it was written; nothing is changed.
        EtcdtoolError: the disk refuses, or another process has the database open; nothing is changed.
    """
    in_use = image.high_water_mark * image.page_size
    assert all(offset >= in_use for offset, _ in edit.pages)
    with Replacement(file.path, verb=verb, keep=keep) as copy:
        with copy.reporting():
            _write(file, copy.fileno(), edit)
        copy.sync()
        data = memoryview(mmap.mmap(copy.fileno(), 0, prot=mmap.PROT_READ))
        _require_same(file.data[:in_use], data, _meta_page(image, edit), progress)
        _prove(image, Image.open(data), bucket, pairs)

        def last_look() -> None:
            hold.refuse_company()
            file.check_unchanged()

        return copy.commit(last_look=last_look)


def _write(file: InputFile, descriptor: int, edit: Edit) -> None:
    copy_bytes(file.path, descriptor, file.data)
    os.ftruncate(descriptor, max(file.size, edit.size))
    for offset, piece in edit.pages:
        write_at(descriptor, piece, offset)
    os.fdatasync(descriptor)
    write_at(descriptor, edit.meta[1], edit.meta[0])


def _meta_page(image: Image, edit: Edit) -> range:
    return range(edit.meta[0], edit.meta[0] + image.page_size)


def _require_same(old: memoryview, new: memoryview, but_for: range, progress: Progress | None) -> None:
    """Compare what is in use of the old file with the copy, but for one page."""
    step = _CHUNK_SIZE // len(but_for) * len(but_for)
    places = [0, but_for.start, but_for.stop, *range(but_for.stop + step, len(old), step), len(old)]
    one, other = np.frombuffer(old, np.uint8), np.frombuffer(new, np.uint8)
    for start, stop in pairwise(places):
        if start != but_for.start and not np.array_equal(one[start:stop], other[start:stop]):
            raise FormatError("copied database", "its bytes came back otherwise", offset=start, hint=_HINT)
        if progress is not None:
            progress(stop, len(old))


def _prove(old: Image, new: Image, bucket: bytes, pairs: Mapping[bytes, bytes]) -> None:
    """Check the pages that were written: the list of buckets, in which one entry may differ, and that bucket."""
    for finding in _check_trees(new, bucket):
        if finding.severity is Severity.ERROR:
            raise FormatError("edited database", str(finding), hint=_HINT)
    if _without(old, bucket) != _without(new, bucket):
        raise FormatError("edited database", "its buckets came back otherwise", hint=_HINT)
    found = {item.key: bytes(item.value) for item in iter_items(new, root_buckets(new)[bucket])}
    if found != pairs:
        raise FormatError("edited database", f"bucket {bucket.decode()} came back otherwise", hint=_HINT)


def _without(image: Image, name: bytes) -> dict[bytes, bytes]:
    """Return what the list of buckets holds of all but one: the root page of each, or its pairs where they are few."""
    return {item.key: bytes(item.value) for item in iter_items(image, root_bucket(image)) if item.key != name}


def _check_trees(image: Image, name: bytes) -> Iterator[Finding]:
    marks = bytearray(image.page_limit)
    yield from TreeCheck(image, root_bucket(image), marks, [], is_root=True).findings()
    bucket = root_buckets(image)[name]
    if bucket.inline is not None:
        yield from check_inline(bucket, bucket.inline)
    else:
        yield from TreeCheck(image, bucket, marks, []).findings()
