"""``etcdtool check v2store``: flags, words and exit codes of etcdutl 3.5 (``etcdutl/check_command.go`` @ v3.5.33)."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from etcdtool.cli._groups import command
from etcdtool.cli.text import printable
from etcdtool.errors import EtcdtoolError
from etcdtool.findings import Severity
from etcdtool.operations.v2_check import CLEAN, check_v2
from etcdtool.sources import locate

__all__ = ["v2store_command"]

_SINCE = "3.5.32"
_HINT_MORE = "etcdtool v2 check names all of it, and what to do"


@command(
    "v2store",
    short_help="Check for custom content in v2store, as etcdutl 3.5 does.",
    examples=[
        "etcdtool check v2store --data-dir /var/lib/etcd",
        "etcdtool check v2store --data-dir /var/lib/etcd --wal-dir /var/lib/etcd-wal",
    ],
    exit_codes={0: "no custom content was found", 1: "there is some, or it failed"},
    upstream=True,
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="A data dir that no etcd has open. Required.")
@click.option("--wal-dir", type=click.Path(path_type=Path), help="Where the WAL is, if it is kept apart.")
def v2store_command(*, data_dir: Path | None, wal_dir: Path | None) -> None:
    """Check for custom content in v2store and in the log, as etcdutl 3.5 does from 3.5.32 on.

    It says what that says, whatever version the data are of. What that does not see, as hidden keys, is told on stderr;
    etcdtool v2 check is the better question.
    """
    if data_dir is None:
        raise EtcdtoolError('required flag(s) "data-dir" not set')
    _refuse_missing(data_dir, wal_dir)
    parts = locate(data_dir, wal_dir=wal_dir)
    if parts is None or not (parts.segments or parts.snap_files or parts.database):
        print(CLEAN)  # a folder that no etcd has written to yet
        return
    found = check_v2(data_dir, wal_dir=wal_dir)
    said = found.said[_SINCE]
    errors = [finding for finding in found.findings if finding.severity is Severity.ERROR]
    if not said:
        raise EtcdtoolError(f"failed to read WAL: {errors[0].where}: {errors[0].detail}", hint=errors[0].hint)
    if said != CLEAN:
        raise EtcdtoolError(said, hint=_HINT_MORE)
    print(CLEAN, flush=True)  # before the warnings, where both go to one place
    for error in errors:
        print(printable(f"warning: {error.detail}. {_HINT_MORE}"), file=sys.stderr)


def _refuse_missing(data_dir: Path, wal_dir: Path | None) -> None:
    folder = wal_dir if wal_dir is not None else data_dir / "member/wal"
    if not folder.is_dir():
        raise EtcdtoolError(f"open {folder}: no such file or directory")
