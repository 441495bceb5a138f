"""``etcdtool version``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool import __version__
from etcdtool.cli._groups import command, write_out
from etcdtool.cli.printers import Table, show
from etcdtool.cli.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["version_command"]


@dataclass(frozen=True, slots=True)
class _Version:
    version: str

    def simple(self) -> Iterable[str]:
        yield f"etcdtool version: {self.version}"

    def table(self) -> Table:
        return Table(headers=["etcdtool version"], rows=[[self.version]])

    def fields(self) -> Iterable[tuple[str, str]]:
        yield "Version", quoted(self.version)

    def as_json(self) -> object:
        return {"version": self.version}


@command(
    "version", short_help="Print the version of etcdtool.", examples=["etcdtool version", "etcdtool version -w json"]
)
def version_command() -> None:
    """Print the version of etcdtool."""
    show(_Version(__version__), write_out())
