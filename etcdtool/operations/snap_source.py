"""Open a ``.snap`` file, also one that a running server is still writing: it does so under the file's last name.

Upstream: ``Snapshotter.save`` in ``server/etcdserver/api/snap/snapshotter.go`` @ v3.5.33.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from etcdtool.errors import FormatError
from etcdtool.formats.snap import parse_snap_file
from etcdtool.sources import InputFile

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["open_snap"]

_LOOKS, _LOOK_SECONDS = 10, 0.05


def open_snap(path: Path, *, in_use: bool) -> InputFile | None:
    """Open the file; when a server may be writing to it, wait a moment for one that cannot be read.

    Returns:
        The file; None if a running server has deleted it.

    Raises:
        SourceError: it cannot be opened.
    """
    for _ in range(_LOOKS if in_use else 0):
        file = InputFile.open_if_there(path, in_use=True)
        if file is None or _is_whole(file):
            return file
        time.sleep(_LOOK_SECONDS)
    return InputFile.open_if_there(path, in_use=in_use)


def _is_whole(file: InputFile) -> bool:
    try:
        parse_snap_file(file.data)
    except FormatError:
        return False
    return True
