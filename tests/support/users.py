"""Having no privileges for a while: root may read and write everything, whatever the modes say."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# <linux/capability.h>: chown, dac_override, dac_read_search, fowner
_OVER_FILES = 0b1111
_VERSION = 0x20080522
_SETS = struct.Struct("=6I")  # effective, permitted, inheritable; the lower halves of all three, then the upper ones


@contextlib.contextmanager
def without_privileges() -> Iterator[None]:
    """Be held to the modes of files, as their owner; one who is not root is anyhow.

    The user stays who it is, since what is imported meanwhile may lie in a folder of root's own.
    """
    if os.geteuid() != 0:
        yield
        return
    before = _capabilities("capget", bytes(_SETS.size))
    effective, *rest = _SETS.unpack(before)
    _capabilities("capset", _SETS.pack(effective & ~_OVER_FILES, *rest))
    try:
        yield
    finally:
        _capabilities("capset", before)


def _capabilities(call: str, sets: bytes) -> bytes:
    """Ask for this thread's capabilities, or set them."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _VERSION, 0))
    data = ctypes.create_string_buffer(sets, len(sets))
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, call)(header, data) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), call)
    return data.raw


@contextlib.contextmanager
def public_folder() -> Iterator[Path]:
    """Give a folder that everybody can enter, and that goes whatever modes its folders have got."""
    folder = Path(tempfile.mkdtemp(prefix="etcdtool-public-"))
    folder.chmod(0o777)
    try:
        yield folder
    finally:
        for path in folder.rglob("*"):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
        shutil.rmtree(folder)
