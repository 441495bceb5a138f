"""The size of the log's files, apart from `etcdtool.formats.wal`, which takes longer to load than a look at the disk.

Upstream: ``SegmentSizeBytes`` in ``server/storage/wal/wal.go`` @ v3.7.1, the same in every version from 2.0 on.
"""

from __future__ import annotations

__all__ = ["SEGMENT_SIZE"]

SEGMENT_SIZE = 64_000_000
"""Bytes that upstream allocates for a file in advance; it cuts once a write has reached them."""
