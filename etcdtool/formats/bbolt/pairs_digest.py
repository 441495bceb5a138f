"""A digest of a bucket's pairs that does not depend on the pages they lie on: two files hold the same if it is equal.

CRC-32C over all keys and values one behind the other, and another one over their sizes, so that no byte can change
sides between two of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.formats.bbolt.columns import contiguous_runs
from etcdtool.formats.digest import crc32c, crc32c_of_runs

if TYPE_CHECKING:
    from etcdtool.formats.bbolt.packer import Spans

__all__ = ["PairsDigest"]


@dataclass(slots=True)
class PairsDigest:
    """Takes pairs in order.

    Attributes:
        count: pairs taken.
        content, sizes: the two checksums.
    """

    count: int = 0
    content: int = 0
    sizes: int = 0

    def add(self, data: memoryview, spans: Spans) -> None:
        """Take the next pairs."""
        runs = contiguous_runs(spans.start, spans.start + spans.size)
        self.content = crc32c_of_runs(data, runs, self.content)
        sizes = np.stack((spans.key_size, spans.size), axis=1).astype("<i8")
        self.sizes = crc32c(sizes.data, self.sizes)
        self.count += len(spans)
