"""``etcdtool member``: the members that a snapshot or database names, as ``etcdctl member list`` prints them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import LazyGroup, command
from etcdtool.cli._lists import LISTED, bool_text, listed, source_argument
from etcdtool.cli.printers import Table
from etcdtool.cli.text import hex_id, printable, quoted
from etcdtool.operations.cluster_lists import list_members
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from etcdtool.model.membership import Member
    from etcdtool.operations.cluster_lists import Members

__all__ = ["list_command", "member_group"]

member_group = LazyGroup(
    "member",
    lazy={"list": ("etcdtool.cli.member:list_command", "List the members, as etcdctl does.")},
    help="Look at the members that a snapshot or database names.",
    short_help="Look at members: list.",
    examples=["etcdtool member list snapshot.db -w table"],
)


@dataclass(frozen=True, slots=True)
class _MembersView:
    found: Members
    as_hex: bool
    with_removed: bool

    def _rows(self) -> Iterable[list[str]]:
        for member in self.found.members:
            yield [
                *(hex_id(member.id), "started" if member.name else "unstarted", printable(member.name)),
                *(",".join(map(printable, urls)) for urls in (member.peer_urls, member.client_urls)),
                bool_text(member.is_learner),
            ]
        for number in self.found.removed if self.with_removed else ():
            yield [hex_id(number), "removed", "", "", "", "false"]

    def simple(self) -> Iterable[str]:
        return (", ".join(row) for row in self._rows())

    def table(self) -> Table:
        return Table(
            headers=["ID", "Status", "Name", "Peer Addrs", "Client Addrs", "Is Learner"], rows=list(self._rows())
        )

    def fields(self) -> Iterable[tuple[str, str]]:
        for member in self.found.members:
            yield "ID", str(self._json_id(member.id))
            yield "Name", quoted(member.name)
            for url in member.peer_urls:
                yield "PeerURL", quoted(url)
            for url in member.client_urls:
                yield "ClientURL", quoted(url)
            yield "IsLearner", bool_text(member.is_learner)
            yield "", ""
        for number in self.found.removed if self.with_removed else ():
            yield "RemovedID", str(self._json_id(number))

    def as_json(self) -> object:
        return {
            "members": [self._member(member) for member in self.found.members],
            "removed": [{"ID": self._json_id(number)} for number in self.found.removed],
        }

    def _json_id(self, number: int) -> int | str:
        return hex_id(number) if self.as_hex else number

    def _member(self, member: Member) -> dict[str, Any]:
        fields = {
            "name": member.name,
            "peerURLs": list(member.peer_urls),
            "clientURLs": list(member.client_urls),
            "isLearner": member.is_learner,
        }
        return {"ID": self._json_id(member.id), **{name: value for name, value in fields.items() if value}}


@command(
    "list",
    short_help="List the members, as etcdctl does.",
    examples=["etcdtool member list snapshot.db -w table", "etcdtool member list /var/lib/etcd --removed"],
    exit_codes=LISTED,
)
@source_argument
@click.option("--hex", "as_hex", is_flag=True, help="Print ids as hex in JSON and fields too.")
@click.option("--removed", "with_removed", is_flag=True, help="List those that were removed too; JSON always has them.")
def list_command(*, source: Path, as_hex: bool, with_removed: bool) -> None:
    """List the members that SOURCE names: id, status, name, peer URLs, client URLs, whether it is a learner.

    The forms are those of etcdctl member list, without the header: a file has no member that answers. A member that
    has not published its name yet is unstarted.
    """
    with open_database(source) as database:
        found = list_members(database)
    listed(_MembersView(found, as_hex, with_removed), found.problems)
