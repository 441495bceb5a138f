"""Prove column-wise that a bucket's tree is good.

The proof says yes or no; where it says no, `etcdtool.formats.bbolt.tree_check` finds the words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from etcdtool.formats.bbolt.columns import BYTES_AT_ONCE, PAGES_PER_BLOCK, iter_leaf_blocks, walk
from etcdtool.formats.bbolt.page import PageError
from etcdtool.formats.bbolt.tree_check import USED
from etcdtool.formats.bbolt.writer import KEY_SIZE_MAX
from etcdtool.formats.words import Strings, ascend, compare, unaligned_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.columns import LeafBlock, Level, Tree
    from etcdtool.formats.bbolt.cursor import Bucket
    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.words import UnalignedWords

__all__ = ["LeafProof", "is_good_tree"]


_ROWS_AT_ONCE_MIN = 1 << 7


class LeafProof:
    """What is proven of a bucket's leaves, block by block: whoever reads all blocks in order can prove them on the way.

    Args:
        image: the file.
    """

    def __init__(self, image: Image) -> None:
        self.words = unaligned_words(image.data)
        self._let_go = image.let_go
        self.is_good = True
        self._firsts: list[Strings] = []
        self._lasts: list[Strings] = []

    def add(self, block: LeafBlock) -> None:
        """Look at the next block: no bucket in it, no gap, and keys that ascend."""
        if not self.is_good:
            return
        self.is_good = not block.flags.any() and block.gapless and _ascends(self.words, block)
        first, last = _ends_of_pages(block)
        self._firsts.append(first)
        self._lasts.append(last)

    def fits(self, tree: Tree) -> bool:
        """Tell whether the blocks were all of a tree's, all good, and its branches lead to them."""
        first, last = _joined(self._firsts), _joined(self._lasts)
        if not self.is_good or len(first.start) != len(tree.leaves):
            return False  # what a leaf without pairs may be is not told here
        # keys ascend within blocks; across their borders too, where each page's keys lie between the branch keys
        return self._separates(tree.levels, first, last)

    def _separates(self, levels: tuple[Level, ...], first: Strings, last: Strings) -> bool:
        """Hold each level's keys against the first key of their child, and the last key before that child."""
        before = np.arange(len(first.start), dtype=np.int64)
        for level in reversed(levels):
            keys = _keys(level)
            if not _fits(keys) or not self._ascend(keys, first, or_equal=True):
                return False
            # the leaf that a child begins with is `before`; the leaf in front of it must end below the child's key
            if not self._ascend(_rows(last, before[1:] - 1), _rows(keys, slice(1, None))):
                return False
            first = _rows(keys, level.first)
            before = before[level.first]
        return True

    def _ascend(self, left: Strings, right: Strings, *, or_equal: bool = False) -> bool:
        """Tell whether each string is below the other one of its pair."""
        step = _rows_at_once(left, right)
        for start in range(0, len(left.start), step):
            part = slice(start, start + step)
            if (compare(self.words, _rows(left, part), _rows(right, part)) >= int(or_equal)).any():
                return False
            self._let_go()
        return True


def is_good_tree(image: Image, bucket: Bucket, marks: bytearray, proof: LeafProof | None = None) -> bool:
    """Tell whether everything `TreeCheck` looks at is good and no bucket is nested; then mark the bucket's pages.

    Args:
        image: the file.
        bucket: not an inline one.
        marks: one byte a page.
        proof: of all the bucket's leaves, where they were read before.
    """
    try:
        tree = walk(image, bucket, taken=marks)
        good = _is_good(image, tree, marks, proof)
    except PageError:
        return False
    if good:
        np.frombuffer(marks, dtype=np.uint8)[tree.owned] |= USED
    return good


def _is_good(image: Image, tree: Tree, marks: bytearray, proof: LeafProof | None) -> bool:
    if np.frombuffer(marks, dtype=np.uint8)[tree.owned].any():
        return False
    if not all(level.is_gapless(image.page_size) for level in tree.levels):
        return False
    if proof is None:
        proof = LeafProof(image)
        for block in iter_leaf_blocks(image, tree.leaves, PAGES_PER_BLOCK):
            proof.add(block)
            if not proof.is_good:
                return False
    return proof.fits(tree)


def _ascends(words: UnalignedWords, block: LeafBlock) -> bool:
    keys = Strings(block.key_start, block.value_start - block.key_start)
    return _fits(keys) and ascend(words, keys)


def _fits(keys: Strings) -> bool:
    # comparing takes a round for every eight bytes, so keys that no writer takes are left to the plain check
    return int(keys.size.max(initial=0)) <= KEY_SIZE_MAX


def _rows_at_once(left: Strings, right: Strings) -> int:
    """Return of how many rows the strings lie in so much of the file as is read before its memory is given back."""
    if not len(left.start):
        return 1
    span = max(int(np.ptp(left.start)), int(np.ptp(right.start)))
    return max(len(left.start) * BYTES_AT_ONCE // max(span, BYTES_AT_ONCE), _ROWS_AT_ONCE_MIN)


def _keys(level: Level) -> Strings:
    return Strings(level.key_start, level.key_end - level.key_start)


def _ends_of_pages(block: LeafBlock) -> tuple[Strings, Strings]:
    """Return the first and the last key of each page in the block."""
    last = np.append(block.first[1:], len(block)) - 1
    keys = Strings(block.key_start, block.value_start - block.key_start)
    return _rows(keys, block.first), _rows(keys, last)


def _rows(strings: Strings, rows: slice | NDArray[np.int64]) -> Strings:
    return Strings(strings.start[rows], strings.size[rows])


def _joined(parts: list[Strings]) -> Strings:
    empty = np.empty(0, dtype=np.int64)
    return Strings(
        np.concatenate([empty, *(part.start for part in parts)]),
        np.concatenate([empty, *(part.size for part in parts)]),
    )
