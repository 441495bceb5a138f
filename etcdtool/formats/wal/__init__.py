"""Write-ahead logs: every change of a member since its last snapshots, in files of 64 MB.

* `segments`: the files, their names, which of them to read.
* `records`: framing and records.
* `frames`: one file's records under the running checksum; what ends a file and what is damage (`damage`).
* `scan`: the whole log in one pass; `log`: what it found, entries by their place.
* `plain_pass`: record by record; `column_pass`: usual records by the block, from `columns`.
* `writer`: new files.

Upstream: ``server/storage/wal`` @ v3.7.1, ``wal`` @ release-3.4 and release-2.3.
"""

from etcdtool.formats.wal.log import Entry, Scan, SnapshotRecord
from etcdtool.formats.wal.records import RecordType
from etcdtool.formats.wal.scan import scan
from etcdtool.formats.wal.segments import Segment, parse_segment_name, segment_name, select
from etcdtool.formats.wal.writer import SEGMENT_SIZE, WalWriter, pack_metadata, pack_snapshot_frame

__all__ = [
    "SEGMENT_SIZE",
    "Entry",
    "RecordType",
    "Scan",
    "Segment",
    "SnapshotRecord",
    "WalWriter",
    "pack_metadata",
    "pack_snapshot_frame",
    "parse_segment_name",
    "scan",
    "segment_name",
    "select",
]
