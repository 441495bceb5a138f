"""Where what can be made again is kept between calls: the user's own cache folder, as the XDG specification has it."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["CACHE_VARIABLE", "cache_folder"]

CACHE_VARIABLE = "ETCDTOOL_CACHE_DIR"
"""Names another folder."""
_XDG_VARIABLE = "XDG_CACHE_HOME"


def cache_folder(kind: str) -> Path:
    """Return the folder for one kind of thing; it may not exist yet."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return (Path(chosen) if chosen else _users_cache() / "etcdtool") / kind


def _users_cache() -> Path:
    named = Path(os.environ.get(_XDG_VARIABLE, ""))
    if named.is_absolute():  # a relative one is to be ignored
        return named
    try:
        home = Path.home()
    except RuntimeError:  # HOME is not set, and nobody knows the user: a container
        home = Path()
    return "/" / home / ".cache"
