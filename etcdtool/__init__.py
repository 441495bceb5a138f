"""etcd's data at rest: read v2 data and v3 snapshots, convert, verify and restore them without a server."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
