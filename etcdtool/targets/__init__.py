"""Staged, atomic, never-overwriting writes: the only place that creates outputs.

`files`: one file; `folders`: a folder with what is in it.
"""

from __future__ import annotations

from etcdtool.targets.disk import refuse_existing
from etcdtool.targets.files import StagedFile, refuse_foreign, replace_own_file
from etcdtool.targets.folders import StagedFolder, is_vacant

__all__ = ["StagedFile", "StagedFolder", "is_vacant", "refuse_existing", "refuse_foreign", "replace_own_file"]
