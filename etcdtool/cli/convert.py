"""``etcdtool convert``: v2 keys and discovery records in, a verified v3 snapshot out."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from etcdtool.cli._conversion import ConversionView
from etcdtool.cli._groups import command, exit_status, write_out
from etcdtool.cli._report_file import refuse_report_file, write_report_file
from etcdtool.cli._tokens import view_tokens
from etcdtool.cli._v2_source import opened, source_options
from etcdtool.cli.printers import show, show_on_stderr
from etcdtool.cli.text import safe_json
from etcdtool.errors import UsageError
from etcdtool.model.conversion import Directories
from etcdtool.model.conversion_plan import Revisions
from etcdtool.operations.conversion_chain import TtlPolicy
from etcdtool.operations.convert import ConvertOptions, convert
from etcdtool.operations.converters import DEFAULT_CHAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from etcdtool.operations.conversion_report import ConversionReport
    from etcdtool.operations.read_v2 import V2Data

__all__ = ["convert_command"]

_STDOUT = Path("-")
_EXIT_STATUS = exit_status(
    {
        3: "a choice of yours is needed (expired keys, --ttl fail, --tail), there are no v2 keys, or errors were found",
        12: "the target or the report file exists; nothing is overwritten",
    }
)


def _parse_tokens(_: click.Context, parameter: click.Parameter, given: Sequence[str]) -> Mapping[str, str]:
    tokens: dict[str, str] = {}
    for pair in given:
        old, equals, new = pair.partition("=")
        if not (old and equals and new):
            raise click.BadParameter(f"{pair!r} is not OLD=NEW", param=parameter)
        if old in tokens:
            raise click.BadParameter(f"{old!r} is given twice", param=parameter)
        tokens[old] = new
    return tokens


def _as_bytes(_: click.Context, __: click.Parameter, given: str) -> bytes:
    return os.fsencode(given)


def _conversion_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add one flag for each field of `ConvertOptions`."""
    decorators = (
        click.option(
            "-c",
            "--converter",
            "converters",
            metavar="NAME|FILE.py",
            multiple=True,
            help="A converter by name or by path; give several in the order in which they may claim. "
            f"Default: {', '.join(DEFAULT_CHAIN)}.",
        ),
        click.option(
            "--revisions",
            type=click.Choice([choice.value for choice in Revisions]),
            default=Revisions.INDEX.value,
            show_default=True,
            help="v2 indexes as revisions as they are, or renumbered densely from 2.",
        ),
        click.option(
            "--no-compact-mark",
            is_flag=True,
            help="Do not mark the head as compacted: as after etcdctl migrate, reads in the past get a false past.",
        ),
        click.option(
            "--ttl",
            type=click.Choice([choice.value for choice in TtlPolicy]),
            default=TtlPolicy.LEASE.value,
            show_default=True,
            help="Keys with a TTL: each gets a lease, becomes permanent, is dropped, or the run fails.",
        ),
        click.option("--drop-expired", is_flag=True, help="Leave out what has expired, instead of asking (exit 3)."),
        click.option(
            "--directories",
            type=click.Choice([choice.value for choice in Directories]),
            default=Directories.SKIP.value,
            show_default=True,
            help="v3 has no directories: skip them, or put a marker key for each.",
        ),
        click.option("--prefix", metavar="KEY", default="", callback=_as_bytes, help="Convert only what is here."),
        click.option("--strip-prefix", metavar="PREFIX", default="", callback=_as_bytes, help="Take it off each key."),
        click.option("--add-prefix", metavar="PREFIX", default="", callback=_as_bytes, help="Put it before each key."),
        click.option(
            "--token",
            "tokens",
            metavar="OLD=NEW",
            multiple=True,
            callback=_parse_tokens,
            help="Give a discovery token another name; may be repeated.",
        ),
    )
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


@command(
    "convert",
    short_help="Turn v2 keys and discovery records into a v3 snapshot.",
    examples=[
        "etcdtool convert /var/lib/etcd -o snapshot.db",
        "etcdtool convert /var/lib/etcd --dry-run",
        "etcdtool convert /var/lib/etcd -o keys.jsonl --prefix /app --ttl permanent",
        "etcdtool convert c1.etcd c2.etcd c3.etcd -o snapshot.db --tail apply",
        "etcdtool convert /var/lib/etcd --list-tokens",
        "etcdtool convert /var/lib/etcd -o snapshot.db -c ./my_converter.py -c keys",
    ],
    exit_codes=_EXIT_STATUS,
)
@source_options
@click.option(
    "-o",
    "--output",
    metavar="TARGET",
    type=click.Path(path_type=Path, allow_dash=True),
    help="A snapshot file, JSON lines if it ends in .jsonl, or - for JSON lines on stdout.",
)
@click.option("--dry-run", is_flag=True, help="Plan and report everything, write nothing.")
@_conversion_options
@click.option("--list-tokens", "listing", is_flag=True, help="Show the discovery registry instead of converting.")
@click.option(
    "--report-file", metavar="FILE", type=click.Path(path_type=Path), help="Write the whole report there, as JSON."
)
def convert_command(
    *,
    sources: tuple[Path, ...],
    output: Path | None,
    listing: bool,
    report_file: Path | None,
    as_of: int | None,
    wal_dir: Path | None,
    tail: str | None,
    **given: Any,
) -> None:
    """Turn the v2 keys and discovery records of SOURCE into a v3 snapshot, and prove it.

    TARGET can be restored by etcdutl snapshot restore of any version. Hidden keys come along, revisions are the v2
    indexes, TTLs become leases. After writing, TARGET is read back from disk and compared with SOURCE node by node;
    every node that became no key is counted and named. SOURCE is never changed, TARGET never overwritten.
    """
    form = write_out()
    options = _options(**given)
    _refuse(output, report_file, options, listing=listing)
    with opened(sources, as_of=as_of, wal_dir=wal_dir, tail=tail, quiet=not listing) as data:
        if listing:
            show(view_tokens(data, options.tokens, options.converters), form)
            return
        report = _convert(data, output, options)
        if report_file is not None:
            write_report_file(report_file, report.as_json())
        view = ConversionView(report)
        if output == _STDOUT and not options.dry_run:
            show_on_stderr(view)
        else:
            show(view, form)
    click.get_current_context().exit(report.exit_code)


def _options(
    *,
    converters: Sequence[str],
    revisions: str,
    no_compact_mark: bool,
    ttl: str,
    directories: str,
    **same: Any,
) -> ConvertOptions:
    return ConvertOptions(
        converters=converters or DEFAULT_CHAIN,
        revisions=Revisions(revisions),
        compact_mark=not no_compact_mark,
        ttl=TtlPolicy(ttl),
        directories=Directories(directories),
        **same,
    )


def _refuse(output: Path | None, report_file: Path | None, options: ConvertOptions, *, listing: bool) -> None:
    """Refuse what can be refused before any work."""
    if listing:
        if output is not None or report_file is not None:
            raise UsageError("--list-tokens converts nothing", hint="Leave -o and --report-file out.")
        return
    if output is None and not options.dry_run:
        raise UsageError("no target was given", hint="Give -o FILE, -o - or --dry-run.")
    refuse_report_file(report_file, output)


def _convert(data: V2Data, output: Path | None, options: ConvertOptions) -> ConversionReport:
    if output == _STDOUT:
        sys.stdout.flush()
        stream = _Terminal() if sys.stdout.isatty() else sys.stdout.buffer
        return convert(data, None, options, stream=stream)
    return convert(data, output, options)


class _Terminal(io.RawIOBase, BinaryIO):
    """JSON lines for eyes: a value may hold what drives a terminal."""

    def writable(self) -> bool:
        """Say yes."""
        return True

    def write(self, data: Any) -> int:
        """Print a piece of JSON."""
        sys.stdout.write(safe_json(bytes(data).decode()))
        return len(data)
