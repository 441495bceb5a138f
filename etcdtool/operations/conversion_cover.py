"""Do reports of ``convert`` say of a tree that all of it was converted?

A report covers a tree whose digest it has, if its target was written and read back.  Nodes that the user left out by a
choice of his (an expired key, ``--ttl drop``) are covered, since the report names them; nodes that a run was not about
(``--prefix``, converters that claim only some) are covered by another report of the same tree, or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from etcdtool.errors import AnswerIsNoError, FormatError, as_message
from etcdtool.operations.conversion_chain import OUTSIDE_PREFIX, UNCLAIMED
from etcdtool.operations.conversion_report import SCHEMA
from etcdtool.sources import InputFile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Cover", "read_cover"]

_NAMED_AT_MOST = 5
_WHAT = "conversion report"
_HINT_AGAIN = "Convert again with --report-file, and give that report."
_NOT_ITS_SUBJECT = (OUTSIDE_PREFIX, UNCLAIMED)


class _Counts(msgspec.Struct):
    adds_up: bool = False


class _Report(msgspec.Struct):
    schema: str
    tree_digest: str = ""
    counts: _Counts = msgspec.field(default_factory=_Counts)
    skipped: dict[str, list[str]] = msgspec.field(default_factory=dict)
    proof: dict[str, Any] | None = None
    findings: list[dict[str, Any]] = msgspec.field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Cover:
    """What some reports say together.

    Attributes:
        digest: of the tree that they are all of.
        left_out: paths that none of them was about.
    """

    digest: str
    left_out: frozenset[str]

    def named(self) -> str:
        """Return the first paths that are not covered."""
        paths = sorted(self.left_out)
        more = f" and {len(paths) - _NAMED_AT_MOST} more" if len(paths) > _NAMED_AT_MOST else ""
        return f"{', '.join(paths[:_NAMED_AT_MOST])}{more}"


def read_cover(paths: Iterable[Path]) -> Cover | None:
    """Read reports that ``convert --report-file`` wrote; None where there are none.

    Raises:
        SourceError: one cannot be read.
        FormatError: it is no such report.
        AnswerIsNoError: it proves nothing, or they are of different trees.
    """
    cover: Cover | None = None
    for path in paths:
        one = _cover_of(path)
        if cover is not None and cover.digest != one.digest:
            raise AnswerIsNoError(
                f"{path} is of another v2 tree than the report before it",
                hint="Give reports that were made of the same data dirs, with nothing written in between.",
            )
        cover = one if cover is None else Cover(cover.digest, cover.left_out & one.left_out)
    return cover


def _cover_of(path: Path) -> Cover:
    try:
        report = msgspec.json.decode(InputFile.open(path).data, type=_Report)
    except RecursionError:
        raise FormatError(_WHAT, "nested too deep", where=str(path)) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FormatError(_WHAT, as_message(str(error)), where=str(path), hint=_HINT_AGAIN) from None
    if report.schema != SCHEMA:
        raise FormatError(_WHAT, f"its schema is {report.schema[:80]!r}, not {SCHEMA!r}", where=str(path))
    reason = _why_no_proof(report)
    if reason:
        raise AnswerIsNoError(f"{path} does not show that the v2 keys were converted: {reason}", hint=_HINT_AGAIN)
    left_out = {name for reason in _NOT_ITS_SUBJECT for name in report.skipped.get(reason, ())}
    return Cover(report.tree_digest, frozenset(left_out))


def _why_no_proof(report: _Report) -> str:
    if report.proof is None:
        return "nothing was read back (a dry run, or JSON lines into a pipe)"
    if not report.counts.adds_up:
        return "its nodes do not add up"
    if any(finding.get("severity") == "error" for finding in report.findings):
        return "it holds errors"
    if not report.tree_digest:
        return "it was written by an etcdtool that noted no digest of the tree"
    return ""
