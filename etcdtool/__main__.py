"""``python -m etcdtool`` and the ``etcdtool`` script."""

from __future__ import annotations

import contextlib
import gc
import os
import sys

from etcdtool.cli.signals import catch_signals, end_by

__all__ = ["main"]

_OBJECTS_BETWEEN_COLLECTIONS = 50_000
_INTERRUPTED = 130


def main() -> None:
    """Run the command line."""
    # imports make many objects that stay; to look through them for cycles again and again takes 20 ms
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    # NumPy's linear algebra starts a thread for each processor, and nothing here uses it
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    catch_signals()
    try:
        from etcdtool.cli.root import run  # noqa: PLC0415  the library can be imported without click

        exit_code = run()
    except KeyboardInterrupt as stopped:  # while something was imported
        exit_code = getattr(stopped, "exit_code", _INTERRUPTED)
    with contextlib.suppress(OSError, ValueError):  # `run` has flushed what could be flushed, and told of the rest
        sys.stderr.flush()
        sys.stdout.flush()
    end_by(exit_code)
    # everything is closed and told: to take the interpreter apart object by object would be another 15 ms
    os._exit(exit_code)


if __name__ == "__main__":
    main()
