"""``etcdtool index list``."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.cli._groups import command, write_out
from etcdtool.cli.fitting import hanging
from etcdtool.cli.printers import Table, show
from etcdtool.cli.text import human_size, printable, quoted
from etcdtool.operations.side_index import list_indexes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etcdtool.operations.side_index import IndexState

__all__ = ["list_command"]


@dataclass(frozen=True, slots=True)
class _Indexes:
    found: list[IndexState]

    def simple(self) -> Iterable[str]:
        for state in self.found:
            head = f"{state.state:13} {human_size(state.size):>7}  {_built(state)}  "
            yield hanging(head, printable(_database(state)))

    def table(self) -> Table:
        rows = [
            [state.state, human_size(state.size), _built(state), printable(_database(state))] for state in self.found
        ]
        return Table(headers=["state", "size", "built", "database"], rows=rows, left=frozenset({0, 3}))

    def fields(self) -> Iterable[tuple[str, str]]:
        for state in self.found:
            yield "Database", quoted(_database(state))
            yield "State", quoted(state.state)
            yield "Size", str(state.size)
            yield "Built", quoted(_built(state))
            yield "Index", quoted(str(state.path))
            yield "", ""

    def as_json(self) -> object:
        return [
            {
                "database": _database(state) or None,
                "state": state.state,
                "size": state.size,
                "built": _built(state),
                "index": str(state.path),
                "revisions": state.summary.revisions if state.summary else None,
                "keys": state.summary.keys if state.summary else None,
            }
            for state in self.found
        ]


def _database(state: IndexState) -> str:
    return state.summary.path if state.summary else ""


def _built(state: IndexState) -> str:
    moment = dt.datetime.fromtimestamp(int(state.built), tz=dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@command("list", short_help="List the indexes in the cache folder.", examples=["etcdtool index list -w table"])
def list_command() -> None:
    """List the indexes in the cache folder: whether each still fits its database, its size, when it was made.

    A stale one is not used; the next look-up that needs it makes it anew.
    """
    show(_Indexes(list_indexes()), write_out())
