"""``snapshot restore``: from a snapshot to the data dirs of members of a new cluster.

The source is copied to a staged folder and verified there, so that what was verified is what is used; what a restore
changes is written into the copy, log and ``.snap`` beside it; everything is synced, read back, and renamed into place.
Upstream: ``etcdutl/snapshot/v3_snapshot.go`` @ v3.7.1, whose checks come in the same order with the same words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from etcdtool.errors import EtcdtoolError
from etcdtool.findings import Report, Severity
from etcdtool.model.membership import member_id_text
from etcdtool.operations.restore_copy import StagedDatabase
from etcdtool.operations.restore_events import Silent
from etcdtool.operations.restore_files import Output
from etcdtool.operations.restore_options import DEFAULT_NAME, RestoreOptions, plan_layout
from etcdtool.operations.restore_pending import Pending, marker_content
from etcdtool.operations.restore_warnings import refuse_without_trailer, tell_of_members, tell_of_owner, tell_of_source
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Callable

    from etcdtool.model.schema import Version
    from etcdtool.operations.restore_changes import Counts
    from etcdtool.operations.restore_events import Events
    from etcdtool.operations.restore_options import Layout, MemberPlace
    from etcdtool.sources import Database

    Progress = Callable[[int, int], None]

__all__ = ["DEFAULT_NAME", "RestoreOptions", "Restored", "restore", "simulate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was made, or would be.

    Attributes:
        layout: the members and where they are.
        version: that they are written for.
        counts: what was changed in the database; None where an earlier run had done it.
        report: what was found in the source; None likewise.
    """

    layout: Layout
    version: Version
    counts: Counts | None = None
    report: Report | None = None


def restore(
    source: Path, options: RestoreOptions, *, events: Events | None = None, progress: Progress | None = None
) -> Restored:
    """Restore a snapshot.

    Args:
        source: a snapshot, a database, or what holds one; ``-`` reads stdin.
        options: what it is told.
        events: is told what is done; the members when all is in its place, so that a server can be started then.
        progress: is called with the bytes done and the bytes there are.

    Raises:
        EtcdtoolError: the options contradict each other, the source is not good, something exists where the output
            would go, or the disk refuses; nothing is left behind.
    """
    events = events or Silent()
    layout = plan_layout(options)
    pending = Pending.find(layout)
    if pending is not None and pending.has_data:
        with open_database(source) as database:
            restored = _complete(pending, database, options, events)
    else:
        if pending is not None:
            pending.take_away()
        layout.refuse_taken()
        with open_database(source) as database:
            tell_of_source(database, events)
            tell_of_owner(layout, options.owner, events)
            restored = _restore(database, options, layout, events, progress)
    # whoever waits for these lines may take the source away at once
    _tell_of_all(restored.layout, database.name, events)
    return restored


def simulate(database: Database, *, check: Callable[[Path], Report]) -> Report:
    """Restore into a temporary folder and check what came out.

    Args:
        database: the opened source.
        check: is given the restored data dir, and returns what is found in it.

    Returns:
        One error if a restore refuses the source or fails, else the errors and warnings about the data dir.
    """
    import tempfile  # noqa: PLC0415  of `verify --simulate-restore`, as the next

    from etcdtool.checks.restored import REFUSED  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="etcdtool-") as folder:
        options = RestoreOptions(data_dir=Path(folder) / "restored", skip_hash_check=database.trailer is None)
        try:
            _restore(database, options, plan_layout(options), Silent(), None)
        except EtcdtoolError as error:
            # a refusal lists findings, which stand beside this one already
            detail, *listed = error.message.splitlines()
            return Report([REFUSED.finding(database.name, detail, hint="" if listed else error.hint)])
        found = check(options.target).findings
    place = f"{database.name}, restored"
    return Report(
        [
            replace(finding, where=finding.where.replace(str(options.target), place))
            for finding in found
            if finding.severity is not Severity.NOTE
        ]
    )


def _restore(
    database: Database, options: RestoreOptions, layout: Layout, events: Events, progress: Progress | None
) -> Restored:
    for place in layout.members:
        events.tell("restoring snapshot", _facts(database.name, place))
    if not options.skip_hash_check:
        refuse_without_trailer(database)
    first = layout.members[0]
    with Output(layout, options.owner, options.mode) as output:
        output.refuse_full_disk(database.size)
        share = _Share(progress, len(layout.members))
        with StagedDatabase(output.data, output.database_name(first), database) as staged:
            report = staged.verify(
                skip_hash_check=options.skip_hash_check, quick=options.quick, events=events, progress=share
            )
            tell_of_members(database.image, layout, events)
            version, counts = staged.edit(first.cluster, options.for_version, options.changes, events)
        for number, place in enumerate(layout.members):
            if place is not first:
                share.number = number
                output.copy_database(first, place, share)
            output.write_and_prove(place, version, counts)
        database.file.check_unchanged()
        output.commit(lambda written_hash: marker_content(database, options, written_hash))
    return Restored(layout=layout, version=version, counts=counts, report=report)


def _complete(pending: Pending, database: Database, options: RestoreOptions, events: Events) -> Restored:
    version = pending.complete(database, options)
    events.tell(
        "completed a restore that had been stopped", {"wal-dirs": [str(place.wal_dir) for place in pending.members]}
    )
    return Restored(layout=pending.layout, version=version)


class _Share:
    """The progress of several copies as that of one."""

    def __init__(self, progress: Progress | None, count: int) -> None:
        self._progress = progress
        self._count = count
        self.number = 0

    def __call__(self, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress(self.number * total + done, self._count * total)


def _facts(source: str, place: MemberPlace) -> dict[str, object]:
    return {
        "path": source,
        "wal-dir": str(place.wal_dir),
        "data-dir": str(place.data_dir),
        "snap-dir": str(place.data_dir / "member" / "snap"),
    }


def _tell_of_all(layout: Layout, source: str, events: Events) -> None:
    cluster = layout.members[0].cluster
    for member in cluster.members:
        events.tell(
            "added member",
            {
                "cluster-id": member_id_text(cluster.cluster_id),
                "local-member-id": "0",
                "added-peer-id": member_id_text(member.id),
                "added-peer-peer-urls": list(member.peer_urls),
                "added-peer-is-learner": False,
            },
        )
    for place in layout.members:
        events.tell("restored snapshot", _facts(source, place))
