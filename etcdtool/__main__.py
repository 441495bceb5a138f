"""``python -m etcdtool`` and the ``etcdtool`` script."""

from __future__ import annotations

import contextlib
import gc
import os
import sys

__all__ = ["main"]

_OBJECTS_BETWEEN_COLLECTIONS = 50_000


def main() -> None:
    """Run the command line."""
    # imports make many objects that stay; to look through them for cycles again and again takes 20 ms
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    # NumPy's linear algebra starts a thread for each processor, and nothing here uses it
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from etcdtool.cli.root import run  # noqa: PLC0415  the library can be imported without click

    exit_code = run()
    with contextlib.suppress(OSError, ValueError):  # `run` has flushed what could be flushed, and told of the rest
        sys.stderr.flush()
        sys.stdout.flush()
    # everything is closed and told: to take the interpreter apart object by object would be another 15 ms
    os._exit(exit_code)


if __name__ == "__main__":
    main()
