"""Events of keys in the forms of ``history``, ``changes`` and ``deleted``: this is the one place that prints one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from etcdtool.cli._kubernetes import changed_lines
from etcdtool.cli._v2_nodes import text_or_base64
from etcdtool.cli.text import human_size, json_text, quoted
from etcdtool.model.events import EventKind
from etcdtool.model.gotext import quoted_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from etcdtool.cli._kubernetes import Kubernetes
    from etcdtool.model.events import Event

__all__ = [
    "compacted_at",
    "event_fields",
    "event_json",
    "shown_lease",
    "shown_size",
    "value_lines",
    "write_json_lines",
]


def event_json(event: Event, *, with_key: bool = True, objects: Kubernetes | None = None) -> dict[str, Any]:
    """Return an event for programs: always the same names, ``value`` where it was asked for, or the object in it."""
    record: dict[str, Any] = {"type": "DELETE" if event.kind is EventKind.DELETE else "PUT"}
    if with_key:
        record.update(text_or_base64("key", event.key))
    record.update(
        revision=event.revision,
        sub=event.sub,
        create_revision=event.create_revision,
        version=event.version,
        lease=event.lease,
        size=event.value_size,
        prev_revision=event.previous_revision,
        missing_versions=event.missing_versions,
    )
    if event.value is not None:
        record.update(
            text_or_base64("value", event.value) if objects is None else objects.record(event.key, event.value)
        )
    return record


def event_fields(event: Event, *, objects: Kubernetes | None = None) -> Iterable[tuple[str, str]]:
    """Return names and values as ``-w fields`` prints them; an empty name ends the event."""
    yield "Type", '"DELETE"' if event.kind is EventKind.DELETE else '"PUT"'
    yield "Key", quoted_bytes(event.key)
    yield "Revision", str(event.revision)
    yield "Sub", str(event.sub)
    yield "CreateRevision", str(event.create_revision)
    yield "Version", str(event.version)
    yield "Lease", str(event.lease)
    yield "Size", str(event.value_size)
    if event.previous_revision is not None:
        yield "PrevRevision", str(event.previous_revision)
    if event.missing_versions:
        yield "MissingVersions", str(event.missing_versions)
    if event.value is not None:
        if objects is None:
            yield "Value", quoted_bytes(event.value)
        else:
            yield "Object", quoted(json_text(objects.record(event.key, event.value)["object"]))
    yield "", ""


def value_lines(event: Event, indent: int, *, objects: Kubernetes | None, before: bytes | None = None) -> Iterator[str]:
    """Yield the value of an event as ``-w simple`` prints it: a quoted line, or an object as a document.

    Args:
        event: an event.
        indent: spaces before each line.
        objects: how objects are read; None: values are printed as they are.
        before: the value before, where only what changed of an object is to be told.
    """
    if event.value is None:
        return
    lines = [quoted_bytes(event.value)] if objects is None else objects.lines(event.key, event.value)
    if objects is not None and before is not None:
        lines = changed_lines(objects.lines(event.key, before), lines)
    yield from (f"{'':>{indent}}{line}" for line in lines)


def shown_size(event: Event) -> str:
    """Return the size of the value for people, "-" of a deletion."""
    return "-" if event.kind is EventKind.DELETE else human_size(event.value_size)


def shown_lease(event: Event) -> str:
    """Return the lease as etcdctl takes it, "-" for none."""
    return f"{event.lease:x}" if event.lease else "-"


def compacted_at(revision: int) -> str:
    """Return why something is gone."""
    return f"compacted at {revision}" if revision > 0 else "no compaction is recorded"


def write_json_lines(records: Iterable[object]) -> None:
    """Print one JSON document a line, as they come."""
    sys.stdout.writelines(f"{json_text(record)}\n" for record in records)
