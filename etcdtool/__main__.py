"""``python -m etcdtool`` and the ``etcdtool`` script."""

from __future__ import annotations

import gc
import sys

__all__ = ["main"]

_OBJECTS_BETWEEN_COLLECTIONS = 50_000


def main() -> None:
    """Run the command line."""
    # imports make many objects that stay; to look through them for cycles again and again, and once more at the end,
    # takes 20 ms
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    from etcdtool.cli.root import run  # noqa: PLC0415  the library can be imported without click

    exit_code = run()
    gc.freeze()
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
