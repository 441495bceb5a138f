"""The log of a data dir: what `etcdtool.formats.wal` and the readers above it find, as codes.

Format: docs/formats/wal.md.
"""

from __future__ import annotations

from etcdtool.checks.codes import Code
from etcdtool.findings import Severity

__all__ = ["CODES", "DAMAGED", "DAMAGED_BEFORE", "ENTRY_UNREADABLE", "FILE_IGNORED", "LAYOUT", "NOT_THERE"]

_OTHER_MEMBER = "Use another member's data or a snapshot: acknowledged writes may be missing here."


def _error(code: str, meaning: str, remedy: str = _OTHER_MEMBER) -> Code:
    return Code(code=code, severity=Severity.ERROR, meaning=meaning, remedy=remedy)


def _warning(code: str, meaning: str, remedy: str) -> Code:
    return Code(code=code, severity=Severity.WARNING, meaning=meaning, remedy=remedy)


NOT_THERE = _error(
    "wal.not-there",
    "There is no log. A server that starts on this folder takes itself for a new member.",
    "Give --wal-dir, if the log is kept apart; else use another copy.",
)
DAMAGED = _error(
    "wal.damaged",
    "A record of the log, or the chain of its files, is damaged where a server reads it. It stops there, or starts "
    "without what follows.",
)
DAMAGED_BEFORE = _warning(
    "wal.damaged-before",
    "The log is damaged before the newest .snap. A server does not read that part any more, but the disk or the copy "
    "is not sound.",
    "Take a snapshot through the server, and look at the disk.",
)
ENTRY_UNREADABLE = _error(
    "wal.entry-unreadable", "A committed entry is none that a server can apply. It stops there at every start."
)
FILE_IGNORED = _warning(
    "wal.file-ignored",
    "A file in the folder of the log has no name of a log file; a server does not read it.",
    "See where it came from.",
)
LAYOUT = _warning(
    "wal.layout",
    "Bytes of a record that no checksum covers are not as every server writes them: its padding, or its own fields. "
    "Servers do not mind, but the file was changed after it was written.",
    "Look at the disk, and compare with another copy.",
)
CODES = (
    NOT_THERE,
    DAMAGED,
    DAMAGED_BEFORE,
    ENTRY_UNREADABLE,
    FILE_IGNORED,
    LAYOUT,
    _warning(
        "wal.torn-tail",
        "The last write is incomplete, as a crash leaves it, and nothing that follows can be read as a record.",
        "None is needed: it was never acknowledged.",
    ),
    _error(
        "wal.data-after-end",
        "A length field is zero as at the end of the log, and bytes that are no record follow it. A server starts "
        "without them.",
    ),
    _error("wal.commit-beyond-end", "The log says itself that more entries are committed than it has."),
    _error("wal.ends-before-snap", "A .snap reaches further than what the log has committed: the log lost its end."),
    _error("wal.ends-before-database", "The database has applied entries that the log does not have."),
    _error("wal.next-file-missing", "The last file is full; a server goes on to another at once, and it is not here."),
    _error(
        "wal.state-missing",
        "The log has entries of a newer term than its last state; where its tail is torn, this is a warning.",
    ),
    _warning(
        "wal.snapshot-not-found",
        "No record of the log vouches for the .snap that a server would start from. A crash between the two writes "
        "leaves that.",
        "None is needed where no error is found beside it.",
    ),
    _warning(
        "wal.first-index",
        "The name of a file gives another first index than the log has there.",
        "See whether a file was renamed or put there from elsewhere.",
    ),
)
