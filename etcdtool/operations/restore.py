"""``snapshot restore``: from a snapshot to the data dir of a member of a new cluster.

The source is copied to a staged folder and verified there, so that what was verified is what is used; what a restore
changes is written into the copy, log and ``.snap`` beside it; everything is synced, read back, and renamed into place.
Upstream: ``etcdutl/snapshot/v3_snapshot.go`` @ v3.7.1, whose checks come in the same order with the same words.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from etcdtool.checks.restored import REFUSED
from etcdtool.errors import EtcdtoolError, TargetExistsError
from etcdtool.findings import Report, Severity
from etcdtool.formats.wal import SEGMENT_SIZE
from etcdtool.model.bootstrap import bootstrap
from etcdtool.model.membership import member_id_text
from etcdtool.operations.resolve import resolve
from etcdtool.operations.restore_copy import StagedDatabase, refuse_without_trailer
from etcdtool.operations.restore_events import Silent
from etcdtool.operations.restore_log import snap_file, wal_file
from etcdtool.operations.restore_proof import prove
from etcdtool.sources import open_database
from etcdtool.targets import StagedFolder, is_vacant, write_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from etcdtool.model.bootstrap import Bootstrap
    from etcdtool.model.schema import Version
    from etcdtool.operations.restore_events import Events
    from etcdtool.sources import Database

    Progress = Callable[[int, int], None]

__all__ = ["DEFAULT_NAME", "RestoreOptions", "Restored", "restore", "simulate"]

DEFAULT_NAME = "default"
_DEFAULT_PEER_URL = "http://localhost:2380"
_MEMBER = "member"
_SNAP_MODE = 0o666  # less the umask: upstream writes .snap files so, and all others for their owner alone
_RESERVE_SIZE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreOptions:
    """What ``snapshot restore`` is told; each field is the flag of that name.

    Attributes:
        data_dir: where to; None: ``<name>.etcd``.
        wal_dir: where the log goes; None: ``member/wal`` in the data dir.
        name: of this member.
        initial_cluster: every member, ``name=url,name=url``.
        initial_cluster_token: keeps clusters apart that have the same URLs.
        initial_advertise_peer_urls: of this member, separated by commas.
        skip_hash_check: take a file whose trailer is wrong or absent.
        bump_revision: by how much the revision goes up.
        mark_compacted: the bumped revision is compacted; one does not go without the other.
        for_version: whose way of writing is used; None: that of the data.
    """

    data_dir: Path | None = None
    wal_dir: Path | None = None
    name: str = DEFAULT_NAME
    initial_cluster: str = f"{DEFAULT_NAME}={_DEFAULT_PEER_URL}"
    initial_cluster_token: str = "etcd-cluster"  # noqa: S105  no secret: it only keeps clusters apart
    initial_advertise_peer_urls: str = _DEFAULT_PEER_URL
    skip_hash_check: bool = False
    bump_revision: int = 0
    mark_compacted: bool = False
    for_version: Version | None = None

    @property
    def target(self) -> Path:
        """The data dir."""
        return self.data_dir if self.data_dir is not None else Path(f"{self.name}.etcd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was made.

    Attributes:
        cluster: the new one.
        data_dir, wal_dir: where it is.
        version: that it was written for.
        report: what was found in the source.
    """

    cluster: Bootstrap
    data_dir: Path
    wal_dir: Path
    version: Version
    report: Report = field(repr=False)


def restore(
    source: Path, options: RestoreOptions, *, events: Events | None = None, progress: Progress | None = None
) -> Restored:
    """Restore a snapshot.

    Args:
        source: a snapshot, a database, or what holds one; ``-`` reads stdin.
        options: what it is told.
        events: is told what is done; the members when all is in its place, so that a server can be started then.
        progress: is called with the bytes verified and the bytes there are.

    Raises:
        EtcdtoolError: the options contradict each other, the source is not good, something exists where the output
            would go, or the disk refuses; nothing is left behind.
    """
    cluster = _cluster(options)
    _refuse_taken(options)
    with open_database(source) as database:
        return _restore(database, options, cluster, events or Silent(), progress)


def simulate(database: Database, *, check: Callable[[Path], Report]) -> Report:
    """Restore into a temporary folder and check what came out.

    Args:
        database: the opened source.
        check: is given the restored data dir, and returns what is found in it.

    Returns:
        One error if a restore refuses the source or fails, else the errors and warnings about the data dir.
    """
    with tempfile.TemporaryDirectory(prefix="etcdtool-") as folder:
        options = RestoreOptions(data_dir=Path(folder) / "restored", skip_hash_check=database.trailer is None)
        try:
            _restore(database, options, _cluster(options), Silent(), None)
        except EtcdtoolError as error:
            return Report([REFUSED.finding(database.name, error.message, hint=error.hint)])
        found = check(options.target).findings
    place = f"{database.name}, restored"
    return Report(
        [
            replace(finding, where=finding.where.replace(str(options.target), place))
            for finding in found
            if finding.severity is not Severity.NOTE
        ]
    )


def _cluster(options: RestoreOptions) -> Bootstrap:
    return bootstrap(
        name=options.name,
        initial_cluster=options.initial_cluster,
        token=options.initial_cluster_token,
        advertised=options.initial_advertise_peer_urls.split(","),
        resolve=resolve,
    )


def _refuse_taken(options: RestoreOptions) -> None:
    target = options.target
    try:
        taken = os.path.lexists(target) and not is_vacant(target)
    except OSError:
        taken = True
    if taken:
        raise TargetExistsError(f'data-dir "{target}" not empty or could not be read')
    wal_dir = options.wal_dir
    if wal_dir is not None and os.path.lexists(wal_dir):
        raise TargetExistsError(f'wal-dir "{wal_dir}" exists')


def _restore(
    database: Database, options: RestoreOptions, cluster: Bootstrap, events: Events, progress: Progress | None
) -> Restored:
    wal_dir = options.wal_dir or options.target / _MEMBER / "wal"
    facts = {
        "path": database.name,
        "wal-dir": str(wal_dir),
        "data-dir": str(options.target),
        "snap-dir": str(options.target / _MEMBER / "snap"),
    }
    events.tell("restoring snapshot", facts)
    if not options.skip_hash_check:
        refuse_without_trailer(database)
    with _folders(options) as (folder, wal_folder):
        folder.refuse_full_disk(database.size + SEGMENT_SIZE + _RESERVE_SIZE)
        with StagedDatabase(folder, f"{_MEMBER}/snap/db", database) as staged:
            report = staged.verify(skip_hash_check=options.skip_hash_check, events=events, progress=progress)
            version = staged.edit(cluster, options.for_version, bump_revision=options.bump_revision, events=events)
        name, data = snap_file(cluster, version)
        snap_path = _write(folder, f"{_MEMBER}/snap/{name}", data, mode=_SNAP_MODE)
        name, data = wal_file(cluster, version)
        wal_path = _write(wal_folder, f"{_MEMBER}/wal/{name}" if wal_folder is folder else name, data, SEGMENT_SIZE)
        database_path = folder.path / _MEMBER / "snap/db"
        prove(database_path, snap_path, wal_path, cluster=cluster, version=version, record_size=len(data))
        _commit(folder, wal_folder)
    _tell_members(cluster, events)
    events.tell("restored snapshot", facts)
    return Restored(cluster=cluster, data_dir=options.target, wal_dir=wal_dir, version=version, report=report)


@contextlib.contextmanager
def _folders(options: RestoreOptions) -> Iterator[tuple[StagedFolder, StagedFolder]]:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(StagedFolder(options.target, entry=_MEMBER))
        wal_folder = folder if options.wal_dir is None else stack.enter_context(StagedFolder(options.wal_dir))
        yield folder, wal_folder


def _commit(folder: StagedFolder, wal_folder: StagedFolder) -> None:
    """Give both folders their names, the log first: a database without its log is taken for a new cluster's."""
    if wal_folder is not folder:
        wal_folder.commit()
    try:
        folder.commit()
    except BaseException:
        if wal_folder is not folder:
            wal_folder.withdraw()
        raise


def _write(folder: StagedFolder, name: str, data: bytes, allocated_size: int = 0, *, mode: int = 0o600) -> Path:
    """Write a whole file and sync it; ``allocated_size`` bytes are taken for it in advance."""
    descriptor = folder.create(name, mode=mode)
    try:
        with folder.reporting():
            if allocated_size:
                os.posix_fallocate(descriptor, 0, allocated_size)
            write_at(descriptor, data, 0)
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return folder.path / name


def _tell_members(cluster: Bootstrap, events: Events) -> None:
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
