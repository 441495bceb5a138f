"""Staged, atomic, never-overwriting writes: the only place that creates outputs.

`files`: one file; `folders`: a folder with what is in it; `replacement`: new content for a file that exists, the old
one kept; `hold`: the locks of a data dir that is worked on.
"""

from __future__ import annotations

from etcdtool.targets.disk import refuse_existing, write_at
from etcdtool.targets.files import StagedFile, refuse_foreign, replace_own_file
from etcdtool.targets.folders import StagedFolder, is_vacant
from etcdtool.targets.hold import Hold
from etcdtool.targets.replacement import Replacement

__all__ = [
    "Hold",
    "Replacement",
    "StagedFile",
    "StagedFolder",
    "is_vacant",
    "refuse_existing",
    "refuse_foreign",
    "replace_own_file",
    "write_at",
]
