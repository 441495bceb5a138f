"""What ``snapshot restore --dry-run`` prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.cli._members import id_json, member_fields
from etcdtool.cli.printers import Table
from etcdtool.cli.text import printable, quoted
from etcdtool.model.membership import member_id_text
from etcdtool.operations.restore_version import version_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etcdtool.operations.restore import Restored

__all__ = ["PlanView"]


@dataclass(frozen=True, slots=True)
class PlanView:
    """The members that would be made, and what would be changed in the database."""

    plan: Restored

    def simple(self) -> Iterable[str]:
        """Sentences, and two lines for each member."""
        places = self.plan.layout.members
        yield f"would make {len(places)} of {len(places[0].cluster.members)} members, for etcd {self._version}"
        yield f"cluster id: {self._cluster_id}"
        for place in places:
            member = place.cluster.local
            yield f"member {member_id_text(member.id)}: {printable(member.name)} at {', '.join(member.peer_urls)}"
            yield f"  data dir {printable(str(place.data_dir))}, log in {printable(str(place.wal_dir))}"
        for name, value in self._changes():
            yield f"{name}: {value}"
        yield "nothing was written"

    def table(self) -> Table:
        """One line for each member."""
        headers = ["member id", "name", "peer urls", "data dir", "wal dir"]
        rows = [
            [
                member_id_text(place.cluster.local.id),
                printable(place.cluster.local.name),
                ",".join(place.cluster.local.peer_urls),
                printable(str(place.data_dir)),
                printable(str(place.wal_dir)),
            ]
            for place in self.plan.layout.members
        ]
        return Table(headers=headers, rows=rows, left=frozenset({1, 2, 3, 4}))

    def fields(self) -> Iterable[tuple[str, str]]:
        """All of it, the members one after the other."""
        yield "ClusterID", str(self.plan.layout.members[0].cluster.cluster_id)
        yield "Version", quoted(self._version)
        for name, value in self._changes():
            yield name.capitalize(), quoted(value)
        for place in self.plan.layout.members:
            yield "", ""
            yield from member_fields(place.cluster.local)
            yield "DataDir", quoted(str(place.data_dir))
            yield "WALDir", quoted(str(place.wal_dir))

    def as_json(self) -> object:
        """All of it."""
        counts = self.plan.counts
        assert counts is not None
        cluster = self.plan.layout.members[0].cluster
        return {
            "cluster": {**id_json(cluster.cluster_id), "size": len(cluster.members)},
            "version": self._version,
            "revision": counts.revision,
            "newRevision": counts.new_revision,
            "markCompacted": counts.compacted,
            "alarmsCleared": counts.alarms,
            "authDisabled": counts.auth,
            "leaseOrphansDropped": counts.lease_orphans,
            "members": [
                {
                    **id_json(place.cluster.local.id),
                    "name": place.cluster.local.name,
                    "peerURLs": list(place.cluster.local.peer_urls),
                    "dataDir": str(place.data_dir),
                    "walDir": str(place.wal_dir),
                }
                for place in self.plan.layout.members
            ],
        }

    @property
    def _version(self) -> str:
        return version_text(self.plan.version)

    @property
    def _cluster_id(self) -> str:
        return member_id_text(self.plan.layout.members[0].cluster.cluster_id)

    def _changes(self) -> Iterable[tuple[str, str]]:
        counts = self.plan.counts
        assert counts is not None
        revision = f"{counts.revision}"
        if counts.new_revision != counts.revision:
            revision += f", raised to {counts.new_revision}"
        if counts.compacted:
            revision += ", all before it compacted"
        yield "revision", revision
        if counts.alarms is not None:
            yield "alarms cleared", str(counts.alarms)
        if counts.auth is not None:
            yield "authentication", "switched off" if counts.auth else "off already"
        if counts.lease_orphans is not None:
            yield "keys dropped whose lease does not exist", str(counts.lease_orphans)
