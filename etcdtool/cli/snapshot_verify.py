"""``etcdtool snapshot verify``, and ``etcdtool verify``, which is the same."""

from __future__ import annotations

import os
from pathlib import Path

import click

from etcdtool.cli._groups import command, exit_status, write_out
from etcdtool.cli._reports import ReportView
from etcdtool.cli.printers import show
from etcdtool.cli.progress import Progress
from etcdtool.operations.verify import verify
from etcdtool.sources import open_database

__all__ = ["verify_command"]


@command(
    "verify",
    short_help="Check a snapshot's trailer, pages and revisions.",
    examples=["etcdtool snapshot verify snapshot.db", "etcdtool snapshot verify snapshot.db -w json | jq .good"],
    exit_codes=exit_status({3: "the file was read, and it has errors"}),
)
@click.argument("file", metavar="SOURCE", type=click.Path(path_type=Path))
@click.pass_context
def verify_command(context: click.Context, file: Path) -> None:
    """Check a snapshot or db file: the sha256 trailer, every page, every revision.

    Everything that is wrong is printed, each finding with a stable code. The file is not changed.
    """
    form = write_out()
    with open_database(file) as database, Progress("verify") as progress:
        report = verify(database, progress=progress)
    show(ReportView(os.fspath(file), report), form)
    context.exit(report.exit_code)
