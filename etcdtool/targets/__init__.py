"""Staged, atomic, never-overwriting writes: the only place that creates outputs.

`duplicate`: a file's bytes into another; `copying`: likewise, in a thread; `files`: one file; `folders`: a folder with
what is in it; `replacement`: new content for a file that exists, the old one kept; `deferred`: a file that waits for
its name; `owner`: whom outputs are given to; `hold`: the locks of a data dir that is worked on.

`tail` writes into a file that exists: a record into the unused end of a log.
"""

from __future__ import annotations

from etcdtool.targets.copying import Copying
from etcdtool.targets.deferred import Deferred, forget_markers, lock_marker, name_all
from etcdtool.targets.disk import free_space, refuse_existing, refuse_full_disk, write_at, write_error
from etcdtool.targets.duplicate import copy_bytes
from etcdtool.targets.files import StagedFile, refuse_foreign, replace_own_file
from etcdtool.targets.folders import StagedFolder, can_be_replaced, is_vacant, take_away_left_overs
from etcdtool.targets.hold import Hold, InUseError
from etcdtool.targets.owner import Owner
from etcdtool.targets.replacement import Replacement
from etcdtool.targets.tail import is_unfinished, write_into_tail

__all__ = [
    "Copying",
    "Deferred",
    "Hold",
    "InUseError",
    "Owner",
    "Replacement",
    "StagedFile",
    "StagedFolder",
    "can_be_replaced",
    "copy_bytes",
    "forget_markers",
    "free_space",
    "is_unfinished",
    "is_vacant",
    "lock_marker",
    "name_all",
    "refuse_existing",
    "refuse_foreign",
    "refuse_full_disk",
    "replace_own_file",
    "take_away_left_overs",
    "write_at",
    "write_error",
    "write_into_tail",
]
