"""What every command on v2 data has: SOURCE…, ``--as-of``, ``--wal-dir``, ``--tail``, and words about the source."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from etcdtool.cli.text import printable
from etcdtool.cli.times import parse_time
from etcdtool.errors import UsageError
from etcdtool.findings import Severity
from etcdtool.operations.read_v2 import ReadOptions, read_v2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from etcdtool.findings import Finding
    from etcdtool.operations.read_v2 import V2Data

__all__ = ["TIME", "opened", "say", "say_findings", "source_options"]

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
    decorators = (
        click.argument(
            "sources", metavar="SOURCE...", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True)
        ),
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
            type=click.Choice(["apply", "ignore"]),
            help="Entries at the log's end that may or may not be committed: apply or ignore them.",
        ),
    )
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


@contextlib.contextmanager
def opened(
    sources: Sequence[Path], *, as_of: int | None, wal_dir: Path | None, tail: Any, quiet: bool = False
) -> Iterator[V2Data]:
    """Read v2 data, and say on stderr what the reader noticed, unless the command shows it itself (``quiet``)."""
    with read_v2(sources, ReadOptions(as_of=as_of, wal_dir=wal_dir, tail=tail)) as data:
        if not quiet:
            say_findings(data.report.findings)
            if not data.complete:
                say("warning: completeness unknown: a dump of /v2/keys holds no hidden keys")
        yield data


def say_findings(findings: Sequence[Finding]) -> None:
    """Print errors and warnings on stderr; notes are for ``v2 status`` and reports."""
    for finding in findings:
        if finding.severity is not Severity.NOTE:
            say(str(finding))


def say(message: str) -> None:
    """Print one line for people on stderr."""
    print(printable(message), file=sys.stderr)
