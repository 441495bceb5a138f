"""Lists of Kubernetes objects, as ``k8s list`` and ``list --k8s`` print them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etcdtool.cli._groups import write_out
from etcdtool.cli._scanned import opened_rows
from etcdtool.cli.fitting import aligned
from etcdtool.cli.printers import Table, note, show
from etcdtool.cli.text import human_size, printable, quoted
from etcdtool.model.key_range import KeyRange

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from etcdtool.model.key_range import KeyChoice
    from etcdtool.model.kubernetes.selection import Selection
    from etcdtool.operations.kubernetes import ListedObject

__all__ = ["list_kubernetes"]

_HEADERS = ("api version", "kind", "namespace", "name", "revision", "size")
_LEFT = frozenset(range(4))


@dataclass(frozen=True, slots=True)
class _Listing:
    """A list; a kind that a value does not tell is named by the resource, in brackets."""

    objects: list[ListedObject]

    def _rows(self) -> list[list[str]]:
        return [_cells(item) for item in self.objects]

    def simple(self) -> Iterable[str]:
        rows = [[header.upper() for header in _HEADERS], *self._rows()] if self.objects else []
        return aligned(rows, left=_LEFT)

    def table(self) -> Table:
        return Table(headers=_HEADERS, rows=self._rows(), left=_LEFT)

    def fields(self) -> Iterable[tuple[str, str]]:
        for number, item in enumerate(self.objects):
            if number:
                yield "", ""
            for name, value in _record(item).items():
                yield name, quoted(value) if isinstance(value, str) else str(value)

    def as_json(self) -> list[dict[str, Any]]:
        return [_record(item) for item in self.objects]


def _cells(item: ListedObject) -> list[str]:
    head, named = item.head, item.named
    unsaid = f"({'encrypted ' if head.encryption else ''}{named.group_resource})"
    kind = head.kind or unsaid
    words = (head.api_version or "-", kind, named.namespace or "-", named.name)
    return [*map(printable, words), str(item.revision), human_size(item.size)]


def _record(item: ListedObject) -> dict[str, Any]:
    head, named = item.head, item.named
    return {
        "apiVersion": head.api_version,
        "kind": head.kind,
        "resource": named.group_resource,
        "namespace": named.namespace,
        "name": named.name,
        "revision": item.revision,
        "size": item.size,
        "storedAs": head.form.value,
        "key": item.key.decode(),  # of other keys nothing is known that could be listed
    }


def list_kubernetes(source: Path, selection: Selection, revision: int, *, prefix: bytes = b"") -> None:
    """Print the objects of a database, and on stderr how many keys are none.

    Args:
        source: what the user named.
        selection: which objects.
        revision: as of which, 0: the newest.
        prefix: what their keys begin with.
    """
    from etcdtool.model.kubernetes.selection import Within  # noqa: PLC0415  list goes without
    from etcdtool.operations.kubernetes import list_objects  # noqa: PLC0415  likewise

    keys: KeyChoice = KeyRange.prefix(prefix)
    narrowed = bool(selection.resource or selection.namespace)
    if narrowed:
        keys = Within(keys, selection)
    with opened_rows(source, "list") as opened:
        objects, others = list_objects(
            opened.image, keys, max(revision, 0), prefixes=selection.prefixes, advance=opened.advance
        )
    show(_Listing(objects), write_out())
    if not objects:
        note(f"no objects{' of that kind' if narrowed or prefix else ''} in {printable(str(source))}")
    if others:
        note(f"{others} keys are no objects, and are not listed")
