"""The ``.snap`` files of a data dir, and which of them a server can start from.

Format: docs/formats/snap.md; upstream: ``server/etcdserver/api/snap/snapshotter.go`` @ v3.7.1.
"""

from __future__ import annotations

from etcdtool.checks.codes import Code
from etcdtool.findings import Severity

__all__ = ["CODES", "LAYOUT", "MISSING", "NAME", "NOT_IN_LOG", "NO_START", "RECORD_ALONE", "STORE", "UNREADABLE"]

UNREADABLE = Code(
    code="snap.unreadable",
    severity=Severity.ERROR,
    meaning="A .snap does not pass its checksum, or is none. A server renames it to .broken and takes an older one.",
    remedy="Use another copy. A server that can go back to an older .snap loses nothing by it.",
)
NAME = Code(
    code="snap.name",
    severity=Severity.WARNING,
    meaning="The name of a .snap does not give the term and index that are in it, by which servers put them in order.",
    remedy="See whether the file was renamed.",
)
STORE = Code(
    code="snap.store-unreadable",
    severity=Severity.ERROR,
    meaning="The .snap that a server starts from passes its checksum, and holds no v2 store. Servers stop there.",
    remedy="Use another member's data.",
)
NOT_IN_LOG = Code(
    code="snap.not-in-log",
    severity=Severity.NOTE,
    meaning="No record of the log vouches for a .snap, so a server does not use it. A crash between the two writes "
    "leaves that.",
    remedy="None is needed.",
)
MISSING = Code(
    code="snap.missing",
    severity=Severity.WARNING,
    meaning="The log has a record of a newer .snap than there is. A server starts from an older one.",
    remedy="None is needed after a crash of an old server, which wrote the record first; else look for the file.",
)
NO_START = Code(
    code="snap.no-start",
    severity=Severity.ERROR,
    meaning="The log no longer reaches back to its beginning, and there is no .snap to start from.",
    remedy="Look for the .snap files, or use another member's data. The database alone can be restored with "
    "snapshot restore --skip-hash-check.",
)
RECORD_ALONE = Code(
    code="snap.record-alone",
    severity=Severity.NOTE,
    meaning="The log has a record of a newer .snap than there is, and the data are of 3.7 or later. Servers since then "
    "start from the record and the database, and those of 3.8 write no .snap any more.",
    remedy="None is needed, as long as the data do not go back to 3.6, which needs the file.",
)
LAYOUT = Code(
    code="snap.layout",
    severity=Severity.WARNING,
    meaning="Bytes of a .snap that its checksum does not cover are not as every server writes them. Servers do not "
    "mind, but the file was changed after it was written.",
    remedy="Look at the disk, and compare with another copy.",
)
CODES = (UNREADABLE, NAME, STORE, NOT_IN_LOG, MISSING, NO_START, RECORD_ALONE, LAYOUT)
