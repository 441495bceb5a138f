"""`etcdtool.model.key_order`: as Python sorts byte strings."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from etcdtool.formats.words import unaligned_words
from etcdtool.model.grouping import Keys
from etcdtool.model.key_order import key_order

_BYTES = st.sampled_from([b"\0", b"a", b"b", b"/", b"\x7f", b"\x80", b"\xff"])
_KEYS = st.lists(st.lists(_BYTES, max_size=20).map(b"".join), max_size=40)


def _sorted(names: list[bytes]) -> list[int]:
    data = b"".join(names)
    sizes = [len(name) for name in names]
    ends = np.cumsum(sizes, dtype=np.int64)
    start = ends - np.array(sizes, dtype=np.int64)
    view = memoryview(data)
    keys = Keys(view, unaligned_words(view), start, np.array(sizes, dtype=np.uint32))
    return key_order(keys).tolist()


@given(_KEYS)
@example([b"a\0", b"a", b"", b"a\0\0\0\0\0\0\0", b"a\0\0\0\0\0\0\0\0", b"a"])
def test_rows_stand_in_the_order_of_their_keys(names: list[bytes]) -> None:
    assert _sorted(names) == sorted(range(len(names)), key=lambda row: names[row])


@given(_KEYS, st.sampled_from([240, 300, 1015, 1024, 1100]))
def test_long_keys_too(names: list[bytes], common: int) -> None:
    long = [*names, *(b"x" * common + name for name in names)]
    assert _sorted(long) == sorted(range(len(long)), key=lambda row: long[row])
