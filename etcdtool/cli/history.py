"""``etcdtool history``: every revision of a key that is still there, and what is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._events import (
    compacted_at,
    event_fields,
    event_json,
    shown_lease,
    shown_size,
    value_lines,
    write_json_lines,
)
from etcdtool.cli._groups import command, write_out
from etcdtool.cli._index import index_option
from etcdtool.cli._kubernetes_options import kubernetes_options, take_kubernetes
from etcdtool.cli._scanned import LOOK_EXIT_STATUS, asked_keys, opened_rows, source_argument
from etcdtool.cli._v2_nodes import text_or_base64
from etcdtool.cli.printers import Table, WriteOut, note, show
from etcdtool.cli.text import printable_bytes
from etcdtool.errors import EtcdtoolError, UsageError
from etcdtool.operations.history import history

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from etcdtool.cli._kubernetes import Kubernetes
    from etcdtool.model.events import Event
    from etcdtool.operations.history import Histories, KeyHistory

__all__ = ["history_command"]

_HEADERS = ("revision", "event", "version", "size", "lease")


def _cells(event: Event) -> list[str]:
    version = str(event.version or "-")
    return [str(event.revision), event.kind.value, version, shown_size(event), shown_lease(event)]


def _line(cells: Iterable[str]) -> str:
    revision, event, version, size, lease = cells
    return f"{revision:>12}  {event:<6}  {version:>7}  {size:>6}  {lease}"


def _gap(event: Event) -> str:
    """Say what is not stored just before an event, "" where nothing is known to be missing."""
    if event.missing_versions is None:
        return "what it held before is gone"
    if not event.missing_versions:
        return ""
    last = event.version - 1
    first = last - event.missing_versions + 1
    which = f"version {last}" if first == last else f"versions {first} to {last}"
    since = f", created at {event.create_revision}" if first == 1 else ""
    return f"{which}{since}, {'is' if first == last else 'are'} gone"


@dataclass(frozen=True, slots=True)
class _History:
    found: Histories
    objects: Kubernetes | None

    def simple(self) -> Iterable[str]:
        for number, of_key in enumerate(self.found):
            if number:
                yield ""
            yield printable_bytes(of_key.key)
            yield _line(header.upper() for header in _HEADERS)
            yield from self._lines(of_key)

    def _lines(self, of_key: KeyHistory) -> Iterator[str]:
        before: bytes | None = None
        for event in of_key.events:
            if gap := _gap(event):
                yield f"{'':>14}({gap}: {compacted_at(self.found.compact_revision)})"
            yield _line(_cells(event))
            yield from value_lines(event, 14, objects=self.objects, before=before)
            before = event.value

    def table(self) -> Table:
        rows = [[*_cells(event), printable_bytes(of_key.key)] for of_key in self.found for event in of_key.events]
        return Table(headers=[*_HEADERS, "key"], rows=rows, left=frozenset({1, 5}))

    def fields(self) -> Iterable[tuple[str, str]]:
        for of_key in self.found:
            for event in of_key.events:
                yield from event_fields(event, objects=self.objects)

    def as_json(self) -> Iterable[dict[str, Any]]:
        return map(self._key_json, self.found)

    def _key_json(self, of_key: KeyHistory) -> dict[str, Any]:
        return {
            **text_or_base64("key", of_key.key),
            "exists": of_key.exists,
            "revision": self.found.current_revision,
            "compact_revision": self.found.compact_revision,
            "events": [event_json(event, with_key=False, objects=self.objects) for event in of_key.events],
        }


@command(
    "history",
    short_help="Tell every revision of a key that is still there.",
    examples=[
        "etcdtool history snapshot.db /app/config",
        "etcdtool history snapshot.db /app/config --values",
        "etcdtool history /var/lib/etcd /app/ --prefix -w json",
    ],
    exit_codes=LOOK_EXIT_STATUS | {1: "it failed, or nothing is stored of KEY"},
)
@source_argument
@click.argument("key", metavar="KEY", required=False)
@click.argument("range_end", metavar="[RANGE_END]", default="")
@click.option("--prefix", is_flag=True, help="The keys that begin with KEY.")
@click.option("--from-key", is_flag=True, help="KEY and all keys behind it, by their bytes.")
@index_option
@click.option("--values", "with_values", is_flag=True, help="The values too; they can be secrets.")
@kubernetes_options
def history_command(
    source: Path,
    key: str | None,
    range_end: str,
    *,
    prefix: bool,
    from_key: bool,
    index: bool | None,
    with_values: bool,
    **given: Any,
) -> None:
    """Tell every stored revision of KEY, or of the keys from KEY to just before RANGE_END, the oldest first.

    A compaction takes what was superseded by its revision; what is gone for sure is said. What it left is told even
    below its revision, where a server reads no more. With -w json there is a line for each key.

    With --k8s values are told as objects of Kubernetes: the first one whole, and of those behind it what changed. Then
    --resource and --namespace can stand in the place of KEY.
    """
    form = write_out()
    objects = take_kubernetes(given)
    if key is None:
        if objects is None:
            raise click.MissingParameter(param_type="argument", param_hint="'KEY'")
        key, prefix = "", True
    _refuse_words(range_end, prefix=prefix, from_key=from_key)
    keys = asked_keys(key, range_end, prefix=prefix, from_key=from_key)
    with_values = with_values or objects is not None
    with opened_rows(source, "history", index=index) as opened:
        find = opened.find if objects is None else objects.finder(opened.find)
        found = history(opened.image, keys, with_values=with_values, find=find, advance=opened.advance)
        if not found.revision_count and keys.is_one_key:
            compact = found.compact_revision
            since = (
                f"The history was compacted at {compact}: a key deleted by then leaves no trace" if compact > 0 else ""
            )
            raise EtcdtoolError(f"nothing is stored of {printable_bytes(keys.start)}", hint=since)
        view = _History(found, objects)
        if form is WriteOut.JSON:
            write_json_lines(view.as_json())
        else:
            show(view, form)
    if form is WriteOut.SIMPLE:
        _tell_what_is_gone(found)


def _refuse_words(range_end: str, *, prefix: bool, from_key: bool) -> None:
    if prefix and from_key:
        raise UsageError("--prefix and --from-key cannot be set at the same time", hint="Choose one.")
    if range_end and (prefix or from_key):
        raise UsageError("RANGE_END does not go together with --prefix or --from-key", hint="Leave one out.")


def _tell_what_is_gone(found: Histories) -> None:
    if found.compact_revision > 0:
        note(f"compacted at {found.compact_revision}: what was superseded or deleted before leaves no trace")
