"""What the listing verbs have in common: SOURCE, their exit codes, and what they say of what they cannot read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import exit_status, write_out
from etcdtool.cli.printers import show
from etcdtool.cli.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from etcdtool.cli.printers import View

__all__ = ["LISTED", "bool_text", "listed", "source_argument"]

LISTED = exit_status({3: "it listed what it could read; some records it could not"})
"""What a listing verb ends with."""

_UNREADABLE = 3


def source_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command its SOURCE."""
    return click.argument("source", type=click.Path(path_type=Path, allow_dash=True))(function)


def listed(view: View, problems: Sequence[str]) -> None:
    """Print a list, then on stderr what could not be read; that ends the command with 3."""
    show(view, write_out())
    sys.stdout.flush()
    for problem in problems:
        print(printable(f"unreadable: {problem}"), file=sys.stderr)
    if problems:
        click.get_current_context().exit(_UNREADABLE)


def bool_text(value: bool) -> str:  # noqa: FBT001
    """Return a truth as Go prints it."""
    return str(value).lower()
