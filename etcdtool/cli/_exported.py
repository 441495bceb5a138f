"""What ``export`` and ``import`` tell about records, in the forms of ``-w``."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etcdtool.cli.printers import Table
from etcdtool.cli.text import human_size, printable, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["RecordsView", "counted"]

_LINE = "{:<10}{}"
_WIDTH = 70
_NAMES = {
    "put": ("key", "keys"),
    "delete": ("tombstone", "tombstones"),
    "lease": ("lease", "leases"),
    "member": ("member", "members"),
    "member_removed": ("removed member", "removed members"),
    "cluster": ("cluster setting", "cluster settings"),
    "meta": ("note of the server", "notes of the server"),
    "auth": ("auth setting", "auth settings"),
    "user": ("user", "users"),
    "role": ("role", "roles"),
    "alarm": ("alarm", "alarms"),
    "pair": ("other pair", "other pairs"),
}


def counted(counts: Mapping[str, int], *, history: bool) -> list[str]:
    """Return ``["3 keys", "1 lease"]``, in a fixed order; with a history it is puts that are counted."""
    names = {**_NAMES, "put": ("put", "puts")} if history else _NAMES
    return [f"{counts[kind]:,} {words[counts[kind] != 1]}" for kind, words in names.items() if counts.get(kind)]


def _folded(name: str, text: str) -> Iterable[str]:
    """Yield a line, or several that stay inside 80 columns."""
    for number, line in enumerate(textwrap.wrap(text, _WIDTH) or [""]):
        yield _LINE.format("" if number else name, line)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsView:
    """Where records came from, where they went, and how many there are of each type.

    Attributes:
        source, target: as they were given.
        size: bytes of the target; None for a pipe.
        counts: records by type.
        history: whether it is a history.
        revision: of the store.
        more: fields of the JSON that one of the two verbs has alone.
        notes: lines about what is worth telling.
    """

    source: str
    target: str
    size: int | None
    counts: Mapping[str, int]
    history: bool
    revision: int
    more: Mapping[str, Any]
    notes: Sequence[str] = ()

    def simple(self) -> Iterable[str]:
        """Lines for people."""
        size = "" if self.size is None else f" ({human_size(self.size)})"
        yield _LINE.format("source", printable(self.source))
        yield _LINE.format("target", f"{printable(self.target)}{size}")
        words = "the history up to" if self.history else "the live keys at"
        yield _LINE.format("of", f"{words} revision {self.revision}")
        records = counted(self.counts, history=self.history)
        yield from _folded("records", ", ".join(records) if records else "none")
        for note in self.notes:
            yield from _folded("note", printable(note))

    def table(self) -> Table:
        """One row a type."""
        rows = [[kind, str(count)] for kind, count in self._by_type()]
        return Table(headers=["type", "records"], rows=rows, left=frozenset({0}))

    def fields(self) -> Iterable[tuple[str, str]]:
        """Names and values."""
        yield "Source", quoted(self.source)
        yield "Target", quoted(self.target)
        yield "Revision", str(self.revision)
        yield "History", str(self.history).lower()
        for kind, count in self._by_type():
            yield f"Records of type {kind}", str(count)
        for note in self.notes:
            yield "Note", quoted(note)

    def as_json(self) -> object:
        """The document."""
        return {
            "source": self.source,
            "target": self.target,
            "size": self.size,
            "history": self.history,
            "revision": self.revision,
            "records": dict(self._by_type()),
            **self.more,
        }

    def _by_type(self) -> list[tuple[str, int]]:
        return [(kind, self.counts[kind]) for kind in _NAMES if self.counts.get(kind)]
