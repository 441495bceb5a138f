"""``etcdtool version``, in the form of ``etcdutl version`` 3.7 (``etcdutl/etcdutl/version_command.go``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from etcdtool import __version__
from etcdtool.cli._groups import UPSTREAM_EXIT_STATUS, command, write_out
from etcdtool.cli.printers import Table, show
from etcdtool.cli.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["version_command"]


_API_VERSION = "3.7"


@dataclass(frozen=True, slots=True)
class _Version:
    version: str
    api_version: str

    def simple(self) -> Iterable[str]:
        yield f"etcdtool version: {self.version}"
        yield f"API version: {self.api_version}"

    def table(self) -> Table:
        return Table(headers=["etcdtool version", "API version"], rows=[[self.version, self.api_version]])

    def fields(self) -> Iterable[tuple[str, str]]:
        yield "Version", quoted(self.version)
        yield "APIVersion", quoted(self.api_version)

    def as_json(self) -> object:
        return {"version": self.version, "apiVersion": self.api_version}


@command(
    "version",
    short_help="Print the version of etcdtool.",
    examples=["etcdtool version", "etcdtool version -w json"],
    exit_codes={code: UPSTREAM_EXIT_STATUS[code] for code in (0, 1, 4)},
    upstream=True,
)
@click.argument("rest", nargs=-1, metavar="")
def version_command(rest: tuple[str, ...]) -> None:  # noqa: ARG001  etcdutl takes no notice of further words
    """Print the version of etcdtool, and the newest version of etcd whose data it knows."""
    show(_Version(__version__, _API_VERSION), write_out())
