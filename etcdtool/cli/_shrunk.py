"""What the verbs have in common that write a database smaller: flags, lines, JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._log import say
from etcdtool.cli.text import human_size, printable, quoted
from etcdtool.operations.shrink import Member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from etcdtool.operations.shrink import Shrunk

__all__ = ["choice_of_places", "chosen_member", "fields_of", "json_of", "lines_of", "notes_of"]

_LINE = "{:<10}{}"


def choice_of_places(verb: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the argument and the options that say what is worked on."""
    path = click.Path(path_type=Path)
    options = [
        click.argument("source", metavar="[SOURCE]", required=False, type=path),
        click.option("--data-dir", type=path, help="Data dir of a stopped member; its database is replaced."),
        click.option("--wal-dir", type=path, help="Where its log is when it is kept apart; it is only locked."),
        click.option("--no-keep", is_flag=True, help=f"Do not keep the old database as db.before-{verb}-TIME."),
        click.option("-o", "--output", metavar="OUT", type=path, help="The new snapshot that SOURCE is written to."),
    ]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def chosen_member(
    source: Path | None,
    output: Path | None,
    data_dir: Path | None,
    wal_dir: Path | None,
    *,
    no_keep: bool,
    wait_seconds: float = 0.0,
) -> Member | None:
    """Return the member whose database is replaced, None where SOURCE is written to OUT.

    Args:
        source: as it was given, like the next four.
        output: likewise.
        data_dir: likewise.
        wal_dir: likewise.
        no_keep: likewise.
        wait_seconds: how long to wait for a server that has the data dir open.

    Raises:
        UsageError: neither or both were given, or what does not go with them.
    """
    context = click.get_current_context()
    if data_dir is None:
        if source is None and output is None:
            raise click.UsageError('required flag(s) "data-dir" not set', context)
        if source is None or output is None:
            raise click.UsageError("give SOURCE and -o OUT together", context)
        if wal_dir is not None or no_keep:
            raise click.UsageError("--wal-dir and --no-keep go with --data-dir", context)
        return None
    if source is not None or output is not None:
        raise click.UsageError("give either --data-dir, or SOURCE and -o OUT", context)
    return Member(
        data_dir=data_dir,
        wal_dir=wal_dir,
        keep=not no_keep,
        wait_seconds=wait_seconds,
        waiting=_say_waiting,
    )


def _say_waiting(path: Path) -> None:
    words = f'waiting for etcd to close and release its lock on "{path}"'
    say(printable(words))


def lines_of(shrunk: Shrunk) -> Iterator[str]:
    """Lines for people."""
    yield _LINE.format("written", printable(str(shrunk.target)))
    if shrunk.kept is not None:
        yield _LINE.format("kept", printable(str(shrunk.kept)))
    freed = shrunk.size_before - shrunk.size_after
    change = f"{human_size(freed)} less" if freed > 0 else f"{human_size(-freed)} more" if freed else "as before"
    yield _LINE.format(
        "size", f"{human_size(shrunk.size_before)} before, {human_size(shrunk.size_after)} now: {change}"
    )
    free = shrunk.pages_before - shrunk.pages_used_before
    yield _LINE.format("pages", f"{shrunk.pages_before} before, {free} of them free; {shrunk.pages_after} now")
    for finding in shrunk.cured:
        yield _LINE.format("mended", printable(f"{finding.where}: {finding.detail}"))


def notes_of(shrunk: Shrunk) -> Iterator[str]:
    """What else a person has to think of."""
    if shrunk.kept is not None:
        yield "note: remove the file that is kept when the member runs: it takes its space until then"
    if shrunk.has_alarm:
        yield "note: an alarm is stored, which a server raises at its start; end it with etcdctl alarm disarm"


def fields_of(shrunk: Shrunk) -> Iterator[tuple[str, str]]:
    """Names and values."""
    yield "Target", quoted(str(shrunk.target))
    if shrunk.kept is not None:
        yield "Kept", quoted(str(shrunk.kept))
    yield "Size before", str(shrunk.size_before)
    yield "Size after", str(shrunk.size_after)
    yield "Page size", str(shrunk.page_size)
    yield "Pages before", str(shrunk.pages_before)
    yield "Pages used before", str(shrunk.pages_used_before)
    yield "Pages after", str(shrunk.pages_after)


def json_of(shrunk: Shrunk) -> dict[str, Any]:
    """What a program reads."""
    return {
        "source": shrunk.source,
        "target": str(shrunk.target),
        "kept": str(shrunk.kept) if shrunk.kept is not None else None,
        "sizeBefore": shrunk.size_before,
        "sizeAfter": shrunk.size_after,
        "pageSize": shrunk.page_size,
        "pagesBefore": shrunk.pages_before,
        "pagesUsedBefore": shrunk.pages_used_before,
        "pagesAfter": shrunk.pages_after,
        "mended": [finding.as_json() for finding in shrunk.cured],
    }
