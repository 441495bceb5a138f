"""The option ``--index``, and an opened index with its bar."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli.progress import Advance, Progress
from etcdtool.sources.index_place import is_worth_a_look
from etcdtool.sources.touch import Touched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from etcdtool.model.key_rows import RowFinder
    from etcdtool.sources import Database
    from etcdtool.sources.side_index import IndexFile

__all__ = ["index_option", "opened_index", "row_finder"]


def index_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--index`` and ``--no-index``."""
    return click.option(
        "--index/--no-index",
        "index",
        default=None,
        help="Look up keys by a side index, and make it first where there is none that fits; or scan the file. "
        "Without either, an index that is there is used, and one is made of files above 2 GB.",
    )(function)


@contextlib.contextmanager
def row_finder(database: Database, *, asked: bool | None) -> Iterator[RowFinder]:
    """Give what finds the rows of keys: the index of the database, where it is there or worth making, or a scan.

    Args:
        database: an opened one.
        asked: what ``--index`` says.
    """
    index = None if asked is False else opened_index(database, asked=bool(asked))
    if index is None:
        with Touched(database.data):
            from etcdtool.model.key_rows import KeyRows  # noqa: PLC0415  it loads NumPy: the file is mapped meanwhile

            yield KeyRows.scan
        return
    from etcdtool.operations.index_finder import IndexFinder  # noqa: PLC0415  a scan goes without

    with index:
        yield IndexFinder(index, database.file)


def opened_index(database: Database, *, asked: bool) -> IndexFile | None:
    """Open the index of a database, and make it where it was asked for or is worth it, with a bar."""
    if not asked and not is_worth_a_look(database):
        return None  # LMDB is not even loaded
    from etcdtool.operations.side_index import opened_or_built  # noqa: PLC0415  it loads LMDB

    with Progress("index") as progress:
        return opened_or_built(database, asked=asked, advance=Advance(progress, database.size))
