"""``etcdtool migrate``: flags and exit codes of etcdutl 3.7 (``etcdutl/etcdutl/migrate_command.go``)."""

from __future__ import annotations

import math
from pathlib import Path

import click

from etcdtool.cli._groups import UPSTREAM_EXIT_STATUS, command, lock_timeout_seconds
from etcdtool.cli._log import Log
from etcdtool.cli.progress import Progress
from etcdtool.errors import EtcdtoolError
from etcdtool.model.migration import parse_target
from etcdtool.operations.migrate import LogStart, MigrateOptions, migrate

__all__ = ["migrate_command"]

_EXIT_STATUS = {
    **UPSTREAM_EXIT_STATUS,
    0: "it worked, or there was nothing to do",
    128: "--target-version is no version",
}
_HINT_CONVERT = "v2 keys become v3 keys with etcdtool convert"


@command(
    "migrate",
    short_help="Bring a data dir's storage to another version of etcd.",
    examples=[
        "etcdtool migrate --data-dir /var/lib/etcd --target-version 3.6",
        "etcdtool migrate --data-dir /var/lib/etcd --target-version 3.5 \\",
        "  --wal-dir /var/lib/etcd-wal",
    ],
    exit_codes=_EXIT_STATUS,
    upstream=True,
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Of a stopped member. Required.")
@click.option(
    "--target-version", metavar="X.Y", help="Version of etcd that the storage shall be of, 3.5 to 3.7. Required."
)
@click.option("--force", is_flag=True, help="Set the version whatever is in the way. Not recommended.")
@click.option(
    "--wal-dir", type=click.Path(path_type=Path), help="Where the log is, if it is kept apart from the data dir."
)
@click.option(
    "--log-from",
    type=click.Choice([start.value for start in LogStart]),
    default=LogStart.RECORD.value,
    show_default=True,
    help="Entries that a lower version has to understand: behind the log's newest record of a snapshot, as for etcdutl "
    "3.7, or behind the newest .snap file that one vouches for, as for 3.6.",
)
@click.option("--no-keep", is_flag=True, help="Do not keep the old database as db.before-migrate-TIME.")
def migrate_command(
    *,
    data_dir: Path | None,
    target_version: str | None,
    force: bool,
    wal_dir: Path | None,
    log_from: str,
    no_keep: bool,
) -> None:
    """Bring the storage of a stopped member to another version of etcd: 3.5, 3.6 or 3.7.

    The database is edited in a copy, which takes its place at once when it was read back; a kill leaves the old one or
    the new one. A server that has the data dir open is waited for, as long as --timeout says. Going down is refused
    where the log holds entries that the lower version does not understand. What else would keep a server of that
    version from starting is told as a warning.
    """
    if data_dir is None or target_version is None:
        missing = [
            name for name, given in (("data-dir", data_dir), ("target-version", target_version)) if given is None
        ]
        named = ", ".join(f'"{name}"' for name in missing)
        raise EtcdtoolError(f"required flag(s) {named} not set", hint=_HINT_CONVERT if target_version is None else "")
    try:
        target = parse_target(target_version)
    except ValueError as error:
        raise click.UsageError(str(error), click.get_current_context()) from error
    options = MigrateOptions(
        data_dir=data_dir,
        target=target,
        force=force,
        wal_dir=wal_dir,
        log_start=LogStart(log_from),
        keep=not no_keep,
        wait_seconds=lock_timeout_seconds() or math.inf,
    )
    with Progress("migrate") as progress:
        migrate(options, events=Log(), progress=progress)
