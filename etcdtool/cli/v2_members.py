"""``etcdtool v2 members``: who is in the cluster, as the v2 store knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etcdtool.cli._groups import command, write_out
from etcdtool.cli._members import member_fields, member_json
from etcdtool.cli._v2_source import opened, source_options
from etcdtool.cli.printers import Table, show
from etcdtool.cli.text import hex_id, printable
from etcdtool.cli.v2 import SOURCE_EXIT_STATUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from etcdtool.model.membership import Member

__all__ = ["members_command"]


@dataclass(frozen=True, slots=True)
class _Members:
    """Lines as ``etcdctl member list`` of API 2 prints them, without what only a running cluster knows."""

    members: Sequence[Member]

    def simple(self) -> Iterable[str]:
        for member in self.members:
            yield printable(
                f"{hex_id(member.id)}: name={member.name} peerURLs={','.join(member.peer_urls)} "
                f"clientURLs={','.join(member.client_urls)}"
            )

    def table(self) -> Table:
        rows = [
            [
                hex_id(member.id),
                printable(member.name),
                "\n".join(map(printable, member.peer_urls)),
                "\n".join(map(printable, member.client_urls)),
            ]
            for member in self.members
        ]
        return Table(headers=["id", "name", "peer addrs", "client addrs"], rows=rows, left=frozenset(range(1, 4)))

    def fields(self) -> Iterable[tuple[str, str]]:
        for member in self.members:
            yield from member_fields(member)
            yield "", ""

    def as_json(self) -> object:
        return {"members": [member_json(member) for member in self.members]}


@command(
    "members",
    short_help="List the members of the cluster.",
    examples=["etcdtool v2 members /var/lib/etcd", "etcdtool v2 members /var/lib/etcd -w table"],
    exit_codes=SOURCE_EXIT_STATUS,
)
@source_options
def members_command(sources: tuple[Path, ...], **reading: Any) -> None:
    """List the members of the cluster as the v2 store of SOURCE knows them."""
    form = write_out()
    with opened(sources, **reading) as data:
        show(_Members([member for _, member in sorted(data.members().items())]), form)
