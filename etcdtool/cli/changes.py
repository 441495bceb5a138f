"""``etcdtool changes``: what happened between two revisions, as a log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._events import event_fields, event_json, shown_size, value_lines, write_json_lines
from etcdtool.cli._groups import command, write_out
from etcdtool.cli._int64 import Int64
from etcdtool.cli._kubernetes_options import kubernetes_options, take_kubernetes
from etcdtool.cli._scanned import LOOK_EXIT_STATUS, opened_rows, prefix_option, prefixed, source_argument
from etcdtool.cli.fitting import hanging
from etcdtool.cli.printers import Table, WriteOut, note, show
from etcdtool.cli.text import printable_bytes
from etcdtool.operations.changes import changes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from etcdtool.cli._kubernetes import Kubernetes
    from etcdtool.model.events import Event
    from etcdtool.operations.changes import Changes

__all__ = ["changes_command"]

_HEADERS = ("revision", "event", "before", "version", "size", "key")


def _cells(event: Event) -> list[str]:
    before = "-" if event.previous_revision is None else str(event.previous_revision)
    version = str(event.version or "-")
    return [str(event.revision), event.kind.value, before, version, shown_size(event), printable_bytes(event.key)]


def _line(cells: Iterable[str]) -> str:
    revision, event, before, version, size, key = cells
    return hanging(f"{revision:>10}  {event:<6}  {before:>10}  {version:>7}  {size:>6}  ", key)


@dataclass(frozen=True, slots=True)
class _Log:
    found: Changes
    objects: Kubernetes | None

    def simple(self) -> Iterable[str]:
        yield _line(header.upper() for header in _HEADERS)
        for event in self.found:
            yield _line(_cells(event))
            yield from value_lines(event, 12, objects=self.objects)

    def table(self) -> Table:
        return Table(headers=_HEADERS, rows=list(map(_cells, self.found)), left=frozenset({1, 5}))

    def fields(self) -> Iterable[tuple[str, str]]:
        for event in self.found:
            yield from event_fields(event, objects=self.objects)

    def as_json(self) -> Iterable[object]:
        return (event_json(event, objects=self.objects) for event in self.found)


@command(
    "changes",
    short_help="Tell what happened between two revisions, in order.",
    examples=[
        "etcdtool changes snapshot.db --from-rev 1500 --to-rev 1520",
        "etcdtool changes /var/lib/etcd --prefix /app/ -w json | jq -r .key",
    ],
    exit_codes=LOOK_EXIT_STATUS,
)
@source_argument
@click.option(
    "--from-rev",
    "from_revision",
    type=Int64(),
    metavar="REV",
    help="The first revision. Default: the oldest that can be read.",
)
@click.option("--to-rev", "to_revision", type=Int64(), metavar="REV", help="The last revision. Default: the newest.")
@prefix_option
@click.option("--values", "with_values", is_flag=True, help="The values too; they can be secrets.")
@kubernetes_options
def changes_command(
    source: Path,
    *,
    from_revision: int | None,
    to_revision: int | None,
    prefix: str,
    with_values: bool,
    **given: Any,
) -> None:
    """Tell every put and deletion between two revisions, in the order in which they happened.

    It is what a watch from --from-rev on would have told. BEFORE is the revision of the change of the same key before;
    create is a put of a key that was not there. With -w json each event is a line of its own.

    With --k8s the values are told as objects of Kubernetes.

    At the revision of the last compaction itself, puts are there and deletions may be gone.
    """
    form = write_out()
    objects = take_kubernetes(given)
    with opened_rows(source, "changes") as opened:
        found = changes(
            opened.image,
            prefixed(prefix),
            from_revision=from_revision,
            to_revision=to_revision,
            with_values=with_values or objects is not None,
            find=opened.find if objects is None else objects.finder(opened.find),
            advance=opened.advance,
        )
        log = _Log(found, objects)
        if form is WriteOut.JSON:
            write_json_lines(log.as_json())
        else:
            show(log, form)
    if form is WriteOut.SIMPLE:
        plural = "change" if len(found) == 1 else "changes"
        note(f"{len(found)} {plural} from revision {found.from_revision} to {found.to_revision}")
