"""What every command has that finds rows of keys in a v3 database: its SOURCE, the words for keys, the bar."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from etcdtool.cli._groups import exit_status
from etcdtool.cli._index import row_finder
from etcdtool.cli.printers import note
from etcdtool.cli.progress import Advance, Progress
from etcdtool.errors import FormatError
from etcdtool.model.compactions import is_without_keys
from etcdtool.model.key_range import KeyRange
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.model.key_rows import RowFinder

__all__ = ["LOOK_EXIT_STATUS", "Opened", "asked_keys", "opened_rows", "prefix_option", "prefixed", "source_argument"]

LOOK_EXIT_STATUS = exit_status(
    {1: "it failed: a file that cannot be read, a revision that is compacted or not reached"}
)

source_argument = click.argument("source", metavar="SOURCE", type=click.Path(path_type=Path, allow_dash=True))

prefix_option = click.option("--prefix", metavar="KEY", default="", help="Only keys that begin with this.")


def prefixed(prefix: str) -> KeyRange:
    """Return the keys that ``--prefix`` asks for, every key without it."""
    return KeyRange.prefix(os.fsencode(prefix))


class Opened(NamedTuple):
    """A database that rows of keys are asked of, what finds them, and what moves the bar."""

    image: Image
    find: RowFinder
    advance: Advance


def asked_keys(key: str, range_end: str = "", *, prefix: bool, from_key: bool) -> KeyRange:
    """Return the keys that ``KEY [RANGE_END] --prefix --from-key`` ask for."""
    if prefix:
        return prefixed(key)
    octets = os.fsencode(key)
    return KeyRange.from_key(octets) if from_key else KeyRange.of(octets, os.fsencode(range_end))


@contextlib.contextmanager
def opened_rows(source: Path, title: str, *, index: bool | None = False) -> Iterator[Opened]:
    """Open a database, with a bar of that title.

    Args:
        source: what the user named.
        title: what stands before the bar.
        index: what ``--index`` says, None where it says nothing; the default is a scan.
    """
    with open_database(source) as database, row_finder(database, asked=index) as find, Progress(title) as progress:
        try:
            yield Opened(database.image, find, Advance(progress, database.size))
        except FormatError as error:
            error.hint = (
                error.hint or "etcdtool verify says what is damaged; etcdtool snapshot salvage reads what it can"
            )
            raise error.at(database.name) from None
    if is_without_keys(database.image):
        note("no v3 key was ever stored here; what the v2 API stored is read by etcdtool v2 list DATA_DIR")
