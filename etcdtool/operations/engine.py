"""Which of the two readers the user wants: arrays, or the plain twin (``ETCDTOOL_ENGINE=plain``)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from etcdtool.errors import UsageError

if TYPE_CHECKING:
    from etcdtool.formats.engine import Engine

__all__ = ["chosen_engine"]


def chosen_engine() -> Engine:
    """Return what ``ETCDTOOL_ENGINE`` asks for, ``columns`` where it is not set.

    Raises:
        UsageError: it asks for something else.
    """
    match os.environ.get("ETCDTOOL_ENGINE", ""):
        case "" | "columns":
            return "columns"
        case "plain":
            return "plain"
        case other:
            raise UsageError(f"ETCDTOOL_ENGINE is {other!r}", hint='Leave it unset, or set it to "plain"')
