"""``etcdtool snapshot diff``: what two databases hold otherwise."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import command, exit_status, write_out
from etcdtool.cli._kubernetes_options import kubernetes_options, take_kubernetes
from etcdtool.cli.progress import Advance, Progress
from etcdtool.errors import UsageError
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["diff_command"]

_SECTIONS = ("leases", "auth", "members", "alarms", "versions", "other")
_DIFFERENT = 3
_STDIN = Path("-")


@command(
    "diff",
    short_help="Say what two snapshots or members hold otherwise.",
    examples=[
        "etcdtool snapshot diff monday.db tuesday.db",
        "etcdtool snapshot diff monday.db tuesday.db --prefix /registry/ --summary",
        "etcdtool snapshot diff n0.db /var/lib/etcd --at-common-revision -w json",
        "etcdtool snapshot diff a.db restored --ignore members --ignore versions",
    ],
    exit_codes=exit_status({0: "they are equal", 3: "they differ"}),
)
@click.argument("before", metavar="BEFORE", type=click.Path(path_type=Path))
@click.argument("after", metavar="AFTER", type=click.Path(path_type=Path))
@click.option("--prefix", metavar="PREFIX", help="Compare keys that begin so, and nothing else.")
@click.option("--rev", "revision", type=click.IntRange(1), metavar="REV", help="Compare keys as both had them then.")
@click.option("--at-common-revision", is_flag=True, help="Compare keys at the newest revision that both hold.")
@click.option(
    "--metadata",
    is_flag=True,
    help="Keys that were written again with the same value and lease count too, and are listed.",
)
@click.option(
    "--ignore",
    "ignored",
    type=click.Choice(_SECTIONS),
    multiple=True,
    help="Do not compare this; may be given several times.",
)
@click.option("--summary", is_flag=True, help="Count, and list nothing.")
@click.option("--values", is_flag=True, help="Show values; they may be secrets.")
@kubernetes_options
@click.pass_context
def diff_command(
    context: click.Context,
    /,
    *,
    before: Path,
    after: Path,
    prefix: str | None,
    revision: int | None,
    at_common_revision: bool,
    metadata: bool,
    ignored: Sequence[str],
    summary: bool,
    values: bool,
    **given: Any,
) -> None:
    """Say what two snapshots, db files or data dirs, also compressed, hold otherwise.

    Keys are compared by value as they stand at the newest revision of each: + added, - removed, ~ changed, @ the same
    value with another lease, = written again with the same (--metadata). Leases, users and roles, members, alarms and
    versions follow. How far each had applied its log and compacted its history is told, and makes no difference: two
    members of one cluster are equal.

    With --k8s the values are shown as objects of Kubernetes: what was added and removed whole, and what changed by its
    lines. With --resource or --namespace only those objects are compared.
    """
    form = write_out()
    objects = take_kubernetes(given)
    chosen = objects.selection if objects is not None and objects.is_narrowed else None
    if chosen is not None and prefix is not None:
        raise UsageError("--prefix does not go with --resource and --namespace", hint="Leave one of them out")
    if before == after == _STDIN:
        raise UsageError("both sources are stdin", hint="Give a file for one of them")
    with contextlib.ExitStack() as stack:
        databases = [stack.enter_context(open_database(source, whole=True)) for source in (before, after)]
        from etcdtool.cli._differences import DiffView  # noqa: PLC0415  the files are mapped meanwhile
        from etcdtool.operations.diff import DiffOptions, diff  # noqa: PLC0415  likewise

        options = DiffOptions(
            prefix=None if prefix is None else os.fsencode(prefix),
            chosen=chosen,
            revision=revision or 0,
            at_common_revision=at_common_revision,
            metadata=metadata,
            ignored=frozenset(ignored),
        )
        with Progress("diff") as progress:
            advance = Advance(progress, sum(database.size for database in databases))
            found = diff(databases[0], databases[1], options, advance=advance)
        DiffView(found=found, summary=summary, values=values or objects is not None, objects=objects).write(form)
    if not found.equal:
        context.exit(_DIFFERENT)
