"""What a restore may change in the database beside members, and what it changed: see `restore_choices`."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Changes", "Counts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is changed beside members and raft's numbers.

    Attributes:
        bump_revision: by how much the revision goes up; 0 leaves it and the compaction alone.
        clear_alarms: no alarm stands afterwards.
        disable_auth: nobody has to log in afterwards; users and roles stay.
        drop_lease_orphans: live keys that name a lease that does not exist are deleted.
    """

    bump_revision: int = 0
    clear_alarms: bool = False
    disable_auth: bool = False
    drop_lease_orphans: bool = False


@dataclass(slots=True, kw_only=True)
class Counts:
    """What was changed.

    Attributes:
        revision, new_revision: the last one stored before and after.
        compacted: whether everything up to the new one is marked compacted.
        alarms: taken away; None: not asked for.
        auth: whether authentication was on and is off now; None: not asked for.
        lease_orphans: keys deleted; None: not asked for.
        appended: revisions written at the end of bucket ``key``.
    """

    revision: int = 0
    new_revision: int = 0
    compacted: bool = False
    alarms: int | None = None
    auth: bool | None = None
    lease_orphans: int | None = None
    appended: int = 0
