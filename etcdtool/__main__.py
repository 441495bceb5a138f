"""``python -m etcdtool`` and the ``etcdtool`` script."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    from etcdtool.cli.root import run  # noqa: PLC0415  the library can be imported without click

    sys.exit(run())


if __name__ == "__main__":
    main()
