"""Copy the database of a running server: a copy counts only if no transaction was committed while it was made.

bbolt never writes over a page that the last committed state uses, and a commit ends with a write to a meta page.  So
as long as both meta pages stay as they are, everything that they lead to stays as it is too.
Format: docs/formats/bbolt.md, "Commit".
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from etcdtool.errors import SourceError
from etcdtool.formats.bbolt.meta import detect_page_size, parse_meta
from etcdtool.sources.files import open_read_only

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from etcdtool.formats.bbolt.meta import Meta
    from etcdtool.sources.files import Workspace

__all__ = ["copy_live"]

_HEAD_SIZE = 2 * (64 << 10)
"""Bytes from the start that hold both metas at any page size that etcd runs with."""

_CHUNK_SIZE = 8 << 20
_SECONDS_MAX = 30.0
_TRIES_MIN = 3
_PAUSE_SECONDS = 0.02
_RESERVE_SIZE = 256 << 20


def copy_live(path: Path, workspace: Workspace, *, copy: Callable[[int, Path], None] | None = None) -> Path:
    """Return a private copy of a database as of one commit.

    Args:
        path: a database that a server may have open.
        workspace: where the copy goes.
        copy: how the bytes get from a descriptor to a file; for tests.

    Raises:
        SourceError: it cannot be read, there is no room, or the server commits faster than it can be copied.
        FormatError: it has no usable meta page.
    """
    target = workspace.folder() / path.name
    descriptor = open_read_only(path)
    try:
        size = os.fstat(descriptor).st_size
        if size + _RESERVE_SIZE > workspace.free_space():
            raise SourceError(
                f"the temporary disk has no room for a copy of {path}", hint="Set TMPDIR to a folder on a larger disk."
            )
        deadline = time.monotonic() + _SECONDS_MAX
        tries = 0
        while tries < _TRIES_MIN or time.monotonic() < deadline:
            before = _metas(descriptor)
            (copy or _copy)(descriptor, target)
            if _metas(descriptor) == before == _metas_of_file(target):
                return target
            tries += 1
            time.sleep(_PAUSE_SECONDS * min(tries, 10))
    except OSError as error:
        raise SourceError(f"cannot copy {path}: {(error.strerror or str(error)).lower()}") from error
    finally:
        os.close(descriptor)
    raise SourceError(
        f"{path} was written to during each of {tries} copies",
        hint="Take a snapshot through the server instead (snapshot save), and verify that.",
    )


def _metas(descriptor: int) -> tuple[Meta, Meta]:
    """Return both metas; pages right behind them may be written to at any time."""
    head = memoryview(os.pread(descriptor, _HEAD_SIZE, 0))
    page_size = detect_page_size(head)
    return parse_meta(head, 0, 0), parse_meta(head, page_size, 1)


def _metas_of_file(path: Path) -> tuple[Meta, Meta]:
    descriptor = open_read_only(path)
    try:
        return _metas(descriptor)
    finally:
        os.close(descriptor)


def _copy(descriptor: int, target: Path) -> None:
    with target.open("wb") as out:
        offset = 0
        while chunk := os.pread(descriptor, _CHUNK_SIZE, offset):
            out.write(chunk)
            offset += len(chunk)
