"""What every command on v2 data has: SOURCE…, ``--as-of``, ``--wal-dir``, ``--tail``, and words about the source."""

from __future__ import annotations

import contextlib
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from etcdtool.cli.text import printable
from etcdtool.cli.times import parse_time
from etcdtool.errors import AnswerIsNoError, UsageError
from etcdtool.findings import Severity
from etcdtool.operations.read_v2 import ReadOptions, TailPolicy, read_v2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from etcdtool.findings import Finding
    from etcdtool.model.conversion import Node
    from etcdtool.operations.read_v2 import V2Data

__all__ = ["TIME", "opened", "reading_options", "rows_of", "source_options", "sources_argument"]

_Function = TypeVar("_Function", bound="Callable[..., Any]")


class _Time(click.ParamType[int]):
    """A time on the command line, as unix nanoseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse it."""
        if isinstance(value, int):
            return value
        try:
            return parse_time(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


TIME = _Time()


def source_options(function: _Function) -> _Function:
    """Add what every command on v2 data takes: ``sources``, ``as_of``, ``wal_dir`` and ``tail``."""
    return sources_argument(required=True)(reading_options(function))


def sources_argument(*, required: bool) -> Callable[[_Function], _Function]:
    """Add ``sources``."""
    kind = click.Path(path_type=Path, allow_dash=True)
    return click.argument("sources", metavar="SOURCE...", nargs=-1, required=required, type=kind)


def reading_options(function: _Function) -> _Function:
    """Add ``as_of``, ``wal_dir`` and ``tail``."""
    decorators = (
        click.option(
            "--as-of", type=TIME, metavar="TIME", help="The clock for TTLs: RFC 3339 or unix seconds; default now."
        ),
        click.option(
            "--wal-dir",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help="Where the WAL is, if it is kept apart from the data dir.",
        ),
        click.option(
            "--tail",
            type=click.Choice([policy.value for policy in TailPolicy]),
            help="Entries at the log's end that may or may not be committed: apply or ignore them.",
        ),
    )
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


@contextlib.contextmanager
def opened(
    sources: Sequence[Path], *, as_of: int | None, wal_dir: Path | None, tail: str | None, quiet: bool = False
) -> Iterator[V2Data]:
    """Read v2 data, and say on stderr what the reader noticed, unless the command shows it itself (``quiet``)."""
    options = ReadOptions(as_of=as_of, wal_dir=wal_dir, tail=TailPolicy(tail) if tail else None)
    with read_v2(sources, options) as data:
        if not quiet:
            _say_findings(data.report.findings)
        yield data


def rows_of(data: V2Data) -> Iterator[tuple[Node, int | None]]:
    """Yield the rows of the source, of which there is at least one.

    Raises:
        AnswerIsNoError: it holds no v2 keys, or ``--tail`` has to say what they are.
    """
    rows = iter(data.rows())
    first = next(rows, None)
    if first is None:
        raise AnswerIsNoError(f"{data.name} holds no v2 keys", hint="Its v3 data are not looked at here.")
    return itertools.chain([first], rows)


def _say_findings(findings: Sequence[Finding]) -> None:
    """Print errors and warnings on stderr; notes are for ``v2 status`` and reports."""
    for finding in findings:
        if finding.severity is not Severity.NOTE:
            print(printable(str(finding)), file=sys.stderr)
