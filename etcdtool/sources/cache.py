"""Where what can be made again is kept between calls: the user's own cache folder."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

__all__ = ["CACHE_VARIABLE", "cache_folder"]

CACHE_VARIABLE = "ETCDTOOL_CACHE_DIR"
"""Names another folder."""


def cache_folder(kind: str) -> Path:
    """Return the folder for one kind of thing; it may not exist yet."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return (Path(chosen) if chosen else platformdirs.user_cache_path("etcdtool", appauthor=False)) / kind
