"""Write what `plan_member` planned, in an order in which a kill at any moment leaves the old state or the new one.

The ``.snap`` first: servers do not use one of which their log has no record (``LoadNewestAvailable`` in
``server/etcdserver/api/snap/snapshotter.go`` @ v3.5.33).  Then the record.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from etcdtool.errors import EtcdtoolError
from etcdtool.operations.verify_log import LogCheck
from etcdtool.sources import InputFile
from etcdtool.targets import Replacement, StagedFile, write_into_tail

if TYPE_CHECKING:
    from pathlib import Path

    from etcdtool.operations.v2_drop_member import MemberPlan

__all__ = ["apply"]

_SNAP_MODE = 0o644
_VERB = "drop"


def apply(plan: MemberPlan) -> Path | None:
    """Write, read back, and return the name under which a ``.snap`` of that name is kept, if there was one.

    Raises:
        EtcdtoolError: the disk refuses, or gives back something else.
    """
    assert plan.snap is not None
    is_new = not os.path.lexists(plan.snap)
    try:
        kept = _put_snap(plan.snap, plan)
        if plan.segment is not None:
            write_into_tail(plan.segment, plan.offset, plan.frame)
    except EtcdtoolError:
        if is_new:
            plan.snap.unlink(missing_ok=True)
        raise
    _prove(plan)
    return kept


def _put_snap(path: Path, plan: MemberPlan) -> Path | None:
    """Put the file there; one that an earlier run has put there stays, another is kept under another name."""
    if not os.path.lexists(path):
        with StagedFile(path, mode=_SNAP_MODE) as staged:
            with staged.reporting():
                _own_as(plan.parts.database, staged.fileno())
                staged.file.write(plan.snap_data)
            staged.commit()
        return None
    if InputFile.open(path).data == plan.snap_data:
        return None
    with Replacement(path, verb=_VERB) as replacement:
        with replacement.reporting():
            replacement.file.write(plan.snap_data)
        return replacement.commit()


def _own_as(database: Path | None, descriptor: int) -> None:
    """Give the file to the server's user, who is not always the one who runs this."""
    assert database is not None
    status = database.stat()
    with contextlib.suppress(PermissionError):  # only root may give a file away
        os.fchown(descriptor, status.st_uid, status.st_gid)


def _prove(plan: MemberPlan) -> None:
    """Read the data dir as a server would, and see that it starts from the new file with the same log."""
    assert plan.snap is not None
    check = LogCheck(parts=replace(plan.parts, snap_files=sorted({*plan.parts.snap_files, plan.snap})))
    check.read()
    log, before = check.log, plan.log
    if (
        log is None
        or check.start != plan.snap.name
        or (log.last_index, log.hard_state) != (before.last_index, before.hard_state)
        or InputFile.open(plan.snap).data != plan.snap_data
    ):
        raise EtcdtoolError(f"{plan.path} does not read back as it was written", hint="Look at the disk.")
