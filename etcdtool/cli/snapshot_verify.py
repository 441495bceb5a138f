"""``etcdtool snapshot verify``, and ``etcdtool verify``, which is the same."""

from __future__ import annotations

import os
import sys
import time
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._failures import message_of
from etcdtool.cli._groups import command, exit_status, write_out
from etcdtool.cli._verdicts import Failure, Verdict, Verdicts, worst
from etcdtool.cli._verify_outputs import OUTPUT_NAMES, Outputs, output_options
from etcdtool.cli._verify_policy import policy_options, verify_options
from etcdtool.cli.printers import WriteOut, draw, show, write_lines
from etcdtool.cli.progress import Progress, Shares
from etcdtool.cli.text import printable
from etcdtool.errors import UsageError
from etcdtool.operations.verify_source import verify_source
from etcdtool.sources import bytes_on_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from etcdtool.errors import EtcdtoolError
    from etcdtool.operations.verify_source import VerifiedSource, VerifyOptions

    Check = Callable[[Path, Callable[[int, int], None]], VerifiedSource]

__all__ = ["verify_command"]


@command(
    "verify",
    short_help="Check snapshots and data dirs: trailer, pages, revisions, log.",
    examples=[
        "etcdtool verify snapshot.db",
        "etcdtool verify backups/*.db.zst --quiet || echo 'a backup is bad'",
        "etcdtool verify snapshot.db -w json | jq .good",
        "etcdtool verify snapshot.db --max-age 26h --require-prefix /registry/",
        "etcdtool verify /var/lib/etcd --live",
        "etcdtool verify snapshot.db --metrics-file /var/lib/node/etcd.prom",
    ],
    exit_codes=exit_status(
        {
            3: "a source was read, and it has errors",
            12: "a file to be written exists; nothing is replaced but an older metrics file of this command",
        }
    ),
)
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but what could not be read; the exit code says all.")
@policy_options
@output_options
@click.pass_context
def verify_command(context: click.Context, /, *, sources: tuple[Path, ...], quiet: bool, **flags: Any) -> None:
    """Check snapshots, db files and data dirs: the sha256 trailer, every page, every revision, the log.

    Everything that is wrong is printed, each finding with a stable code. No file is changed. With several sources each
    is judged by itself, whatever comes out for the others; the exit code is the worst of all, in the order 0, 3, 13,
    10, 11, 1: the further right, the less is known of a source.
    """
    form = write_out()
    if sources.count(Path("-")) > 1:
        raise UsageError("stdin is given twice", hint="It can be read only once.")
    outputs = Outputs(**{name: flags.pop(name) for name in OUTPUT_NAMES})
    options = verify_options(**flags)
    options.check(sources)
    with Progress("verify") as progress:
        found = []
        check = partial(_check, options)
        for verdict in _verdicts(sources, check, progress):
            found.append(verdict)
            with progress.paused():
                _report(verdict, form, several=len(sources) > 1, quiet=quiet)
    verdicts = Verdicts(found)
    unwritten = [_complain(error) for error in outputs.write(verdicts)]
    if not quiet:  # last: who reads stdout may be gone
        _show(verdicts, form)
    context.exit(worst([verdicts.exit_code, *unwritten]))


def _check(options: VerifyOptions, path: Path, advance: Callable[[int, int], None]) -> VerifiedSource:
    return verify_source(path, progress=advance, options=options)


def _verdicts(sources: Sequence[Path], check: Check, progress: Progress) -> Iterator[Verdict]:
    shares = Shares(progress, [bytes_on_disk(path) for path in sources])
    for index, path in enumerate(sources):
        yield _verdict(path, check, shares.of(index))


def _verdict(path: Path, check: Check, advance: Callable[[int, int], None]) -> Verdict:
    start = time.monotonic()
    modified = _modified_seconds(path)
    try:
        found = check(path, advance)
    except Exception as error:  # noqa: BLE001  whatever happens to one source, the others get their verdict
        if os.environ.get("ETCDTOOL_DEBUG") == "1":
            traceback.print_exception(error)
        failure = Failure(*message_of(error))
        return Verdict(
            source=os.fspath(path), failure=failure, modified_seconds=modified, seconds=time.monotonic() - start
        )
    advance(1, 1)
    return Verdict(
        source=os.fspath(path),
        report=found.report,
        kind=found.kind,
        size=found.size,
        modified_seconds=modified,
        seconds=time.monotonic() - start,
    )


def _modified_seconds(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except (OSError, ValueError):
        return None


def _report(verdict: Verdict, form: WriteOut, *, several: bool, quiet: bool) -> None:
    """Say at once why a source could not be read; in lines, say everything at once, should a later one end us."""
    if verdict.failure is not None:
        _print_error(verdict.failure.message)
    if form is WriteOut.SIMPLE and not quiet:
        write_lines(verdict.lines(several=several))
        sys.stdout.flush()


def _complain(error: EtcdtoolError) -> int:
    message, exit_code = message_of(error)
    _print_error(message)
    return exit_code


def _print_error(message: str) -> None:
    print(printable(f"Error: {message}", newlines=True), file=sys.stderr, flush=True)


def _show(verdicts: Verdicts, form: WriteOut) -> None:
    if form is WriteOut.TABLE and verdicts.all_findings.findings:
        write_lines([draw(verdicts.findings_table())])
    show(verdicts, form)
