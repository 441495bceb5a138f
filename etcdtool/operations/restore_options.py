"""What ``snapshot restore`` is told, and what it comes to: which members are made, and where each one goes."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from etcdtool.errors import EtcdtoolError, TargetExistsError
from etcdtool.model.bootstrap import bootstrap
from etcdtool.model.peer_urls import PeerUrlError, parse_initial_cluster
from etcdtool.operations.resolve import resolve
from etcdtool.operations.restore_changes import Changes
from etcdtool.targets import Deferred, Owner, can_be_replaced, is_vacant, write_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etcdtool.model.bootstrap import Bootstrap
    from etcdtool.model.schema import Version

__all__ = ["DEFAULT_NAME", "KUBERNETES_BUMP", "Layout", "MemberPlace", "RestoreOptions", "plan_layout"]

DEFAULT_NAME = "default"
KUBERNETES_BUMP = 1_000_000_000
"""By how much ``--profile kubernetes`` raises the revision: more than a cluster writes between two backups."""

_DEFAULT_PEER_URL = "http://localhost:2380"
_NOBODY = Owner()
_MEMBER = "member"
_ENDING_SIZE = len(".etcd")
_NAME_SIZE_MAX = 255
_MARKER = "restore-unfinished.wal"
"""By its ending a server takes the log for one that exists, and by its name it refuses to start on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreOptions:
    """What ``snapshot restore`` is told; each field is the flag of that name.

    Attributes:
        data_dir: where to; None: ``<name>.etcd``.
        wal_dir: where the log goes; None: ``member/wal`` in the data dir. With ``all_members``, the folder for the
            logs of all, each in ``<name>.wal``.
        name: of this member.
        initial_cluster: every member, ``name=url,name=url``.
        initial_cluster_token: keeps clusters apart that have the same URLs.
        initial_advertise_peer_urls: of this member, separated by commas.
        all_members: make every member of ``initial_cluster``; ``name`` and its URLs mean nothing then.
        output: with ``all_members``, the folder for the data dirs of all, each in ``<name>.etcd``.
        skip_hash_check: take a file whose trailer is wrong or absent.
        quick: leave out the checks that read every key; the sha256 is compared all the same.
        bump_revision: by how much the revision goes up.
        mark_compacted: the bumped revision is compacted; one does not go without the other.
        clear_alarms, disable_auth, drop_lease_orphans: see `Changes`.
        for_version: whose way of writing is used; None: that of the data.
        owner: whom everything is given to.
        mode: permissions of folders, and of files without those to execute; None: as upstream has them.
    """

    data_dir: Path | None = None
    wal_dir: Path | None = None
    name: str = DEFAULT_NAME
    initial_cluster: str = f"{DEFAULT_NAME}={_DEFAULT_PEER_URL}"
    initial_cluster_token: str = "etcd-cluster"  # noqa: S105  no secret: it only keeps clusters apart
    initial_advertise_peer_urls: str = _DEFAULT_PEER_URL
    all_members: bool = False
    output: Path | None = None
    skip_hash_check: bool = False
    quick: bool = False
    bump_revision: int = 0
    mark_compacted: bool = False
    clear_alarms: bool = False
    disable_auth: bool = False
    drop_lease_orphans: bool = False
    for_version: Version | None = None
    owner: Owner = _NOBODY
    mode: int | None = None

    @property
    def target(self) -> Path:
        """The folder that gets its name last."""
        if self.all_members and self.output is not None:
            return self.output
        return self.data_dir if self.data_dir is not None else Path(f"{self.name}.etcd")

    @property
    def changes(self) -> Changes:
        """What is changed in the database beside members."""
        return Changes(
            bump_revision=self.bump_revision,
            clear_alarms=self.clear_alarms,
            disable_auth=self.disable_auth,
            drop_lease_orphans=self.drop_lease_orphans,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberPlace:
    """One member that is made.

    Attributes:
        cluster: the new one, seen by this member.
        data_dir, wal_dir: where it will be.
        data_name, wal_name: these two, from the folder that is written to; "" for that folder itself.
        deferred: the log, where it goes to another folder and waits for the data dir.
    """

    cluster: Bootstrap
    data_dir: Path
    wal_dir: Path
    data_name: str = ""
    wal_name: str = f"{_MEMBER}/wal"
    deferred: Deferred | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where everything goes.

    Attributes:
        root: the folder of all data dirs, or the data dir.
        root_entries: what is renamed, one after the other, where ``root`` exists and is empty.
        wal_root: the folder of all logs, or of the log; None where they are below ``root``.
        members: each that is made, in the order of ``--initial-cluster``.
    """

    root: Path
    root_entries: tuple[str, ...]
    wal_root: Path | None
    members: tuple[MemberPlace, ...]

    @property
    def wal_entries(self) -> tuple[str, ...]:
        """What is renamed where ``wal_root`` exists and is empty."""
        deferred = self.members[0].deferred
        return deferred.entries if deferred is not None and len(self.members) == 1 else ()

    def is_free(self, folder: Path, *, entries: tuple[str, ...]) -> bool:
        """Tell whether a folder can become an output.

        Raises:
            EtcdtoolError: its name is too long.
        """
        try:
            os.lstat(folder)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise write_error(folder, error) from error
            return True
        try:
            return is_vacant(folder) if entries else can_be_replaced(folder)
        except OSError:
            return False

    def refuse_taken(self) -> None:
        """Raise when something stands where an output would go, in upstream's words."""
        if self.wal_root is not None and _is_one_folder(self.root, self.wal_root):
            raise EtcdtoolError(f"{self.root} and {self.wal_root} are the same folder")
        if not self.is_free(self.root, entries=self.root_entries):
            what = f'data-dir "{self.root}" not empty or could not be read'
            if os.path.lexists(self.root) and not self.root_entries:
                raise TargetExistsError(
                    f"{self.root} exists, and nothing that exists is overwritten",
                    hint="All members come to be at once, with the folder: give one that does not exist, or an empty "
                    "one that is no mount point and not the current folder.",
                )
            raise TargetExistsError(what)
        if self.wal_root is not None and not self.is_free(self.wal_root, entries=self.wal_entries):
            raise TargetExistsError(f'wal-dir "{self.wal_root}" exists')


def plan_layout(options: RestoreOptions) -> Layout:
    """Say which members are made and where they go; nothing is looked at on disk.

    Raises:
        EtcdtoolError: names, URLs and folders contradict each other.
    """
    if options.all_members:
        return _all_members(options)
    data_dir, wal_dir = _clean(options.target), _clean(options.wal_dir) if options.wal_dir is not None else None
    cluster = _cluster(options, options.name, options.initial_advertise_peer_urls.split(","))
    below = _below(wal_dir, data_dir) if wal_dir is not None else None
    if wal_dir is None or below == f"{_MEMBER}/wal":
        place = MemberPlace(cluster=cluster, data_dir=data_dir, wal_dir=data_dir / _MEMBER / "wal")
        return Layout(root=data_dir, root_entries=(_MEMBER,), wal_root=None, members=(place,))
    if below in {"", _MEMBER, f"{_MEMBER}/snap"} or _below(data_dir, wal_dir) is not None:
        raise EtcdtoolError(
            f"--wal-dir {wal_dir} and --data-dir {data_dir} cannot lie one in the other like that",
            hint="Leave --wal-dir out for the usual place, member/wal.",
        )
    place = MemberPlace(
        cluster=cluster, data_dir=data_dir, wal_dir=wal_dir, wal_name=below or "", deferred=_deferred(wal_dir)
    )
    if below is None:
        return Layout(root=data_dir, root_entries=(_MEMBER,), wal_root=wal_dir, members=(place,))
    first = below.partition("/")[0]
    return Layout(root=data_dir, root_entries=tuple(dict.fromkeys((first, _MEMBER))), wal_root=None, members=(place,))


def _all_members(options: RestoreOptions) -> Layout:
    output, wal_root = options.output, options.wal_dir
    if output is None:
        raise EtcdtoolError("all members need a folder to come to, --output")
    output, wal_root = _clean(output), _clean(wal_root) if wal_root is not None else None
    if wal_root is not None and (_below(wal_root, output) is not None or _below(output, wal_root) is not None):
        raise EtcdtoolError(f"--wal-dir {wal_root} and --output {output} cannot lie one in the other")
    try:
        urls = parse_initial_cluster(options.initial_cluster)
    except PeerUrlError as error:
        raise EtcdtoolError(error.problem) from None
    places = []
    for name, of_name in urls.items():
        _refuse_name(name)
        cluster = _cluster(options, name, of_name)
        data_name, wal_name = f"{name}.etcd", f"{name}.wal"
        data_dir = output / data_name
        if wal_root is None:
            wal_dir = data_dir / _MEMBER / "wal"
            wal_name = f"{data_name}/{_MEMBER}/wal"
            deferred = None
        else:
            wal_dir = wal_root / wal_name
            deferred = _deferred(wal_dir)
        places.append(
            MemberPlace(
                cluster=cluster,
                data_dir=data_dir,
                wal_dir=wal_dir,
                data_name=data_name,
                wal_name=wal_name,
                deferred=deferred,
            )
        )
    if not places:
        raise EtcdtoolError("--initial-cluster names no member")
    return Layout(root=output, root_entries=(), wal_root=wal_root, members=tuple(places))


def _cluster(options: RestoreOptions, name: str, peer_urls: Sequence[str]) -> Bootstrap:
    return bootstrap(
        name=name,
        initial_cluster=options.initial_cluster,
        token=options.initial_cluster_token,
        advertised=peer_urls,
        resolve=resolve,
    )


def _refuse_name(name: str) -> None:
    too_long = len(os.fsencode(name)) + _ENDING_SIZE > _NAME_SIZE_MAX
    if not name or "/" in name or "\0" in name or name.startswith(".") or too_long:
        raise EtcdtoolError(
            f"a member of the name {name!r} has no folder of that name", hint="Restore it alone, with --data-dir."
        )


def _deferred(wal_dir: Path) -> Deferred:
    from etcdtool.formats.wal import segment_name  # noqa: PLC0415  of --wal-dir alone

    return Deferred(wal_dir, segment_name(0, 0), _MARKER)


def _is_one_folder(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _clean(folder: Path) -> Path:
    """Return a path without ``..``, as a server takes it: what is before that need not be there."""
    return Path(os.path.normpath(folder))


def _below(folder: Path, other: Path) -> str | None:
    """Return the path of a folder from another one that it lies in, None where it does not."""
    try:
        inside = Path(os.path.abspath(folder)).relative_to(os.path.abspath(other))  # noqa: PTH100  links stay as they are
    except ValueError:
        return None
    return "" if str(inside) == "." else str(inside)
