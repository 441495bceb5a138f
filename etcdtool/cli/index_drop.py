"""``etcdtool index drop``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from etcdtool.cli._groups import command
from etcdtool.cli.printers import write_lines
from etcdtool.cli.text import printable
from etcdtool.errors import UsageError
from etcdtool.operations.side_index import drop, indexes_of, list_indexes

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["drop_command"]


@command(
    "drop",
    short_help="Take indexes away; no database is touched.",
    examples=["etcdtool index drop snapshot.db", "etcdtool index drop --stale", "etcdtool index drop --all"],
)
@click.argument("sources", metavar="[SOURCE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="All that are in the cache folder.")
@click.option("--stale", is_flag=True, help="Those that do not fit their database any more, or cannot be read.")
def drop_command(*, sources: Sequence[Path], everything: bool, stale: bool) -> None:
    """Take the index of each SOURCE away: a database file, or a data dir. No database is touched.

    The SOURCE itself may be gone by now.
    """
    if not (sources or everything or stale):
        raise UsageError("nothing is named to drop", hint="Give a SOURCE, --stale or --all.")
    chosen = [path for source in sources for path in indexes_of(source)]
    chosen += [state.path for state in list_indexes() if everything or (stale and state.state != "fits")]
    for path in dict.fromkeys(chosen):
        drop(path)
        write_lines([printable(f"dropped {path}")])
