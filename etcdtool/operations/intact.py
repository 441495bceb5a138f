"""Refuse a database whose pages are damaged, where an answer about it would be about something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcdtool.errors import FormatError
from etcdtool.findings import Severity
from etcdtool.formats.bbolt.check import check, count_used

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.bbolt.tree_proof import LeafProof
    from etcdtool.formats.engine import Engine

__all__ = ["HINT", "used_pages"]

HINT = "etcdtool verify says it all, and snapshot salvage writes what can be read to a new snapshot"
_HARMLESS = {"bbolt.page-leaked"}
"""Pages that are lost to the file, and take part in nothing."""


def used_pages(image: Image, name: str, *, engine: Engine, proofs: Mapping[int, LeafProof]) -> int:
    """Return how many pages are in use, as `etcdtool.formats.bbolt.check.pages_in_use` counts them.

    Args:
        image: the database.
        name: what a person knows it as.
        engine: as of `check`.
        proofs: likewise.

    Raises:
        FormatError: something is wrong with them.
    """
    marks = bytearray(image.page_limit)
    found = check(image, engine=engine, proofs=proofs, marks=marks)
    errors = [one for one in found if one.severity is Severity.ERROR and one.code not in _HARMLESS]
    if errors:
        more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
        problem = f"{errors[0].detail} ({errors[0].where}){more}"
        raise FormatError("database", problem, offset=errors[0].offset, where=name, hint=HINT)
    return count_used(marks)
