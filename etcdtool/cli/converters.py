"""``etcdtool converters``: what ``convert -c`` knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.cli._groups import command, write_out
from etcdtool.cli.printers import Table, show
from etcdtool.cli.text import printable, quoted
from etcdtool.operations.converters import DEFAULT_CHAIN, list_converters

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etcdtool.operations.converters import ConverterInfo

__all__ = ["converters_command"]


@dataclass(frozen=True, slots=True)
class _Converters:
    found: list[ConverterInfo]

    def simple(self) -> Iterable[str]:
        width = max((len(info.name) for info in self.found), default=0)
        for info in self.found:
            yield printable(f"{info.name:{width}}  {_about(info)}")

    def table(self) -> Table:
        rows = [[printable(info.name), _default_mark(info.name), printable(_about(info))] for info in self.found]
        return Table(headers=["name", "default", "summary"], rows=rows, left=frozenset({0, 2}))

    def fields(self) -> Iterable[tuple[str, str]]:
        for info in self.found:
            yield "Name", quoted(info.name)
            yield "Summary", quoted(info.summary)
            yield "Origin", quoted(info.origin)
            yield "Problem", quoted(info.problem)
            yield "Default", str(info.name in DEFAULT_CHAIN).lower()
            yield "", ""

    def as_json(self) -> object:
        return [
            {
                "name": info.name,
                "summary": info.summary,
                "origin": info.origin,
                "problem": info.problem,
                "default": info.name in DEFAULT_CHAIN,
            }
            for info in self.found
        ]


def _about(info: ConverterInfo) -> str:
    return f"cannot be used: {info.problem}" if info.problem else info.summary


def _default_mark(name: str) -> str:
    return "yes" if name in DEFAULT_CHAIN else ""


@command(
    "converters",
    short_help="List the converters that convert can use.",
    examples=["etcdtool converters", "etcdtool convert SOURCE -o snapshot.db -c keys"],
)
def converters_command() -> None:
    """List the converters that are installed. Any other can be given to convert by path: -c ./my_converter.py."""
    show(_Converters(list_converters()), write_out())
