"""What a restore would do: everything checked and computed, and nothing written."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from etcdtool.model.keyspace import read_meta
from etcdtool.operations.restore import Restored
from etcdtool.operations.restore_copy import judge
from etcdtool.operations.restore_edit import edit_database
from etcdtool.operations.restore_events import Silent
from etcdtool.operations.restore_files import refuse_full_disks
from etcdtool.operations.restore_options import plan_layout
from etcdtool.operations.restore_pending import Pending
from etcdtool.operations.restore_version import version_to_write
from etcdtool.operations.restore_warnings import refuse_without_trailer, tell_of_members, tell_of_owner, tell_of_source
from etcdtool.operations.verify import Depth, verify
from etcdtool.sources import open_database
from etcdtool.targets import write_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from etcdtool.operations.restore_events import Events
    from etcdtool.operations.restore_options import RestoreOptions

    Progress = Callable[[int, int], None]

__all__ = ["dry_run"]


def dry_run(
    source: Path, options: RestoreOptions, *, events: Events | None = None, progress: Progress | None = None
) -> Restored:
    """Do everything that `restore` does up to the first byte written; the same errors, and the same events of changes.

    Raises:
        EtcdtoolError: what `restore` would raise.
    """
    events = events or Silent()
    layout = plan_layout(options)
    pending = Pending.find(layout)
    if pending is not None:
        events.tell(
            "a restore was stopped here; this call would complete it, if it is the same one"
            if pending.has_data
            else "a restore was stopped here; what it left would be removed first",
            {"wal-dirs": [str(place.wal_dir) for place in pending.members]},
        )
    else:
        layout.refuse_taken()
    with open_database(source) as database:
        tell_of_source(database, events)
        tell_of_owner(layout, options.owner, events)
        if not options.skip_hash_check:
            refuse_without_trailer(database)
        folders = [_existing(folder) for folder in (layout.root, layout.wal_root or layout.root)]
        refuse_full_disks(layout, database.size, folders[0], folders[1])
        report = verify(database, progress=progress, depth=Depth(quick=options.quick, sealed=True))
        judge(report, database.name, database.file.data, skip_hash_check=options.skip_hash_check, events=events)
        tell_of_members(database.image, layout, events)
        version = version_to_write(read_meta(database.image), options.for_version)
        cluster = layout.members[0].cluster
        _, counts = edit_database(database.image, cluster, version, options.changes, events)
    return Restored(layout=layout, version=version, counts=counts, report=report)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there.

    Raises:
        EtcdtoolError: that is none, or nobody may write to it.
    """
    above = (folder.absolute(), *folder.absolute().parents)
    found = next(one for one in above if os.path.lexists(one) and (one.is_dir() or one != above[0]))
    if not found.is_dir():
        raise write_error(folder, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
    if not os.access(found, os.W_OK | os.X_OK):
        raise write_error(folder, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    return found
