"""``etcdtool index build``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from etcdtool.cli._groups import command
from etcdtool.cli._index import opened_index
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["build_command"]


@command(
    "build",
    short_help="Index files now, so that no look-up has to wait.",
    examples=["etcdtool index build snapshot.db", "etcdtool get snapshot.db --index /registry/pods/default/a"],
)
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=click.Path(path_type=Path))
def build_command(*, sources: Sequence[Path]) -> None:
    """Index the keys of snapshots, db files or data dirs.

    An index that fits its file is left as it is. Of a packed file, or stdin, none can be made.
    """
    for source in sources:
        with open_database(source, whole=True) as database:
            index = opened_index(database, asked=True)
            assert index is not None
            index.close()
