"""``etcdtool lease``: leases in a snapshot or database, in the words of etcdctl."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import LazyGroup, command
from etcdtool.cli._lists import LISTED, listed, source_argument
from etcdtool.cli.fitting import hanging
from etcdtool.cli.printers import Table
from etcdtool.cli.progress import Progress
from etcdtool.cli.text import printable_bytes, quoted
from etcdtool.operations.lease_list import list_leases
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from etcdtool.operations.lease_list import Leases, ListedLease

__all__ = ["lease_group", "list_command"]

_ALL_BITS = (1 << 64) - 1

lease_group = LazyGroup(
    "lease",
    lazy={"list": ("etcdtool.cli.lease:list_command", "List the leases, and the keys that hang on each.")},
    help="Look at the leases that a snapshot or database holds.",
    short_help="Look at leases: list.",
    examples=["etcdtool lease list snapshot.db --keys"],
)


@dataclass(frozen=True, slots=True)
class _LeasesView:
    leases: Leases
    with_keys: bool

    def simple(self) -> Iterable[str]:
        yield f"found {len(self.leases.granted)} leases"
        for lease in self.leases.granted:
            ttl = f"granted with TTL({lease.ttl_seconds}s), remaining({lease.left_seconds}s)"
            yield hanging(f"{_hex(lease)} ", f"{ttl}, attached keys({self._attached(lease)})")
        for lease in self.leases.missing:
            yield hanging(f"{_hex(lease)} ", f"not granted, attached keys({self._attached(lease)})")

    def _attached(self, lease: ListedLease) -> str:
        if not self.with_keys:
            return str(lease.key_count)
        return f"[{' '.join(printable_bytes(key) for key in lease.keys)}]"

    def table(self) -> Table:
        rows = [
            [
                *(_hex(lease), str(lease.ttl_seconds) if lease.ttl_seconds is not None else "not granted"),
                *(str(lease.left_seconds), str(lease.key_count)),
                *(["\n".join(map(printable_bytes, lease.keys))] if self.with_keys else []),
            ]
            for lease in (*self.leases.granted, *self.leases.missing)
        ]
        headers = ["id", "ttl", "remaining", "keys", *(["attached"] if self.with_keys else [])]
        return Table(headers=headers, rows=rows, left=frozenset({4}))

    def fields(self) -> Iterable[tuple[str, str]]:
        yield "Revision", str(self.leases.revision)
        for lease in (*self.leases.granted, *self.leases.missing):
            yield "ID", str(lease.id)
            if lease.ttl_seconds is not None:
                yield "TTL", str(lease.left_seconds)
                yield "GrantedTTL", str(lease.ttl_seconds)
            yield "Keys", str(lease.key_count)
            for key in lease.keys:
                yield "Key", quoted(printable_bytes(key))

    def as_json(self) -> object:
        return {
            "revision": self.leases.revision,
            "leases": [self._json(lease) for lease in self.leases.granted],
            "missing": [self._json(lease) for lease in self.leases.missing],
        }

    def _json(self, lease: ListedLease) -> dict[str, Any]:
        found: dict[str, Any] = {"id": lease.id, "idHex": _hex(lease)}
        if lease.ttl_seconds is not None:
            found |= {"ttl": lease.left_seconds, "granted-ttl": lease.ttl_seconds}
            found["remaining-ttl"] = lease.remaining_ttl_seconds
        found["keyCount"] = lease.key_count
        if self.with_keys:
            found["keys"] = [base64.b64encode(key).decode() for key in lease.keys]
        return found


def _hex(lease: ListedLease) -> str:
    return f"{lease.id & _ALL_BITS:016x}"


@command(
    "list",
    short_help="List the leases, and the keys that hang on each.",
    examples=["etcdtool lease list snapshot.db", "etcdtool lease list snapshot.db --keys -w json"],
    exit_codes=LISTED,
)
@source_argument
@click.option("--keys", "with_keys", is_flag=True, help="Name the keys, not their number alone.")
def list_command(*, source: Path, with_keys: bool) -> None:
    """List the leases of SOURCE with their TTL, what a server would give them, and how many live keys hang on each.

    What remains is what the last checkpoint says; without one a lease starts anew with its whole TTL. Leases that keys
    hang on and that are not there are listed as not granted: servers leave such keys alone, and nothing ends them.
    """
    with open_database(source, whole=True) as database, Progress("lease list") as progress:
        leases = list_leases(database, with_keys=with_keys, progress=progress)
    listed(_LeasesView(leases, with_keys), leases.problems)
