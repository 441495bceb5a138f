"""The pages of a database: what ``bbolt check`` reports and what it leaves out, see `etcdtool.formats.bbolt.check`."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from etcdtool.checks.codes import Code
from etcdtool.findings import Severity
from etcdtool.formats.bbolt.check import check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from etcdtool.findings import Finding
    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.bbolt.tree_proof import LeafProof
    from etcdtool.formats.engine import Engine

__all__ = ["CODES", "NO_IMAGE", "check_pages"]

_ANOTHER_COPY = "Use another copy; salvage reads what can still be reached."
_NOTHING_WRITES_IT = "None is needed to restore, yet no version of bbolt writes this: compare with another copy."


def _error(code: str, meaning: str, remedy: str = _ANOTHER_COPY) -> Code:
    return Code(code=code, severity=Severity.ERROR, meaning=meaning, remedy=remedy)


def _warning(code: str, meaning: str, remedy: str = _NOTHING_WRITES_IT) -> Code:
    return Code(code=code, severity=Severity.WARNING, meaning=meaning, remedy=remedy)


NO_IMAGE = _error("bbolt.no-image", "No meta page can be used, so that nothing in the file can be found.")
CODES = (
    NO_IMAGE,
    _error(
        "bbolt.bucket-header",
        "The header of a bucket is too short, or has a root page where the bucket itself stands behind it.",
    ),
    _error("bbolt.element-bounds", "An element claims bytes outside of its page."),
    _error("bbolt.element-flags", "An element of a leaf page has flags that do not exist."),
    _error(
        "bbolt.element-gap",
        "An element does not stand right behind the one before it, as no version of bbolt writes it: a size is "
        "damaged, or a damaged count hides elements.",
    ),
    _error("bbolt.file-short", "The file ends before pages that are in use."),
    _error("bbolt.freelist-bounds", "The freelist names a page outside of the file."),
    _error("bbolt.freelist-count", "The freelist claims more pages than it has room for."),
    _error("bbolt.freelist-twice", "The freelist names a page more than once. Restoring such a file hangs etcdutl."),
    _error("bbolt.freelist-type", "The page of the freelist is no freelist page."),
    _warning("bbolt.inline-id", "The page inside an inline bucket has a page id, where bbolt writes 0."),
    _error("bbolt.inline-nested", "An inline bucket holds another bucket."),
    _error(
        "bbolt.inline-size",
        "An inline bucket goes on behind its last element, as no writer makes it: elements may be hidden by a damaged "
        "count, or a size is damaged.",
    ),
    _error("bbolt.key-empty", "An element has an empty key."),
    _error("bbolt.key-order", "Keys are not in order, so that a look-up misses what is there."),
    _warning(
        "bbolt.meta-invalid",
        "One of the two meta pages cannot be used, as after a write that was cut off; the other one is in use.",
        "None is needed to restore. If it should be a snapshot, save it again: a snapshot has two good ones.",
    ),
    _error("bbolt.page-bounds", "A page id leads outside of the pages in use."),
    _error("bbolt.page-count", "A page claims more elements than it has room for, or a branch page has none."),
    _error(
        "bbolt.page-empty",
        "A leaf page has no elements, and stands below a branch page or has bytes behind its header, as no version of "
        "bbolt leaves one: a damaged count hides its elements.",
    ),
    _error("bbolt.page-freed", "A page in use stands in the freelist, and would be overwritten."),
    _error("bbolt.page-id", "A page says it is another one."),
    _error(
        "bbolt.page-leaked",
        "A page is neither in use nor in the freelist. Nothing is lost by that, yet etcdutl snapshot status refuses "
        "the file.",
        "Nothing is needed to restore: the new database does without it. Defragment a data dir.",
    ),
    _error("bbolt.page-overflow", "A page claims to go on past the last page in use."),
    _error("bbolt.page-shared", "Two pages or buckets lead to one page."),
    _error("bbolt.page-type", "A page is of another type than what leads to it."),
    _error("bbolt.root-item", "The root bucket holds something that is no bucket."),
    _error("bbolt.tree-depth", "A tree is deeper than any that bbolt could have written."),
)


def check_pages(
    image: Image, *, engine: Engine = "columns", proofs: Mapping[int, LeafProof] = MappingProxyType({})
) -> Iterator[Finding]:
    """Yield what is wrong with the pages; an image of a file that was cut short may be given as partial."""
    return check(image, engine=engine, proofs=proofs)
