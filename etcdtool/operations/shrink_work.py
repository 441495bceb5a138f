"""One database on its way into a smaller file: checked, planned, packed, and read back."""

from __future__ import annotations

import mmap
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from etcdtool.errors import AnswerIsNoError, EtcdtoolError, FormatError
from etcdtool.findings import Severity
from etcdtool.formats.bbolt import cursor
from etcdtool.formats.bbolt.check import check, count_used
from etcdtool.formats.bbolt.columns import BYTES_AT_ONCE, walk
from etcdtool.formats.bbolt.page import PageError
from etcdtool.model import schema
from etcdtool.model.compactions import read_bucket
from etcdtool.operations.engine import chosen_engine
from etcdtool.operations.repack import Changes, Repacking
from etcdtool.operations.write_behind import WriteBehind
from etcdtool.targets import refuse_full_disk

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import BinaryIO

    from etcdtool.findings import Finding
    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.bbolt.writer import Written
    from etcdtool.sources import Database

    Progress = Callable[[int, int], None]

__all__ = ["Output", "Plan", "Shrunk", "Work", "map_output"]

_CURED = {"bbolt.page-leaked"}
"""Pages that are lost to the file, and take part in nothing: they are left behind."""
_SHOWN_MAX = 5
_SPARE_PARTS = 8
_RESERVE_SIZE = 1 << 20


class Output(Protocol):
    """A file that gets its name when it is complete, such as `etcdtool.targets.Replacement`."""

    file: BinaryIO

    def fileno(self) -> int: ...  # noqa: D102  the class says it

    def reporting(self) -> AbstractContextManager[None]: ...  # noqa: D102  likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is done to a database.

    Attributes:
        verb: what it is called.
        changes: is given the opened database and whom to tell of bytes read, and says what becomes different; None:
            nothing does.
    """

    verb: str
    changes: Callable[[Database, Callable[[int], None]], Changes] | None = None

    @property
    def passes(self) -> int:
        """How often every pair goes by: it may be read to plan, it is packed, and read back."""
        return 2 if self.changes is None else 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """What was written, and in whose place.

    Attributes:
        source: the old file, as a person is told of it.
        target: the new one.
        kept: the name that the old one has now; None where it is not kept, or stands where it stood.
        size_before, size_after: bytes of the files.
        page_size: in bytes.
        pages_before, pages_used_before, pages_after: up to the high-water mark, and of these in use.
        cured: what was wrong with the old file and is not with the new one.
        member_count: members that the database knows of.
        has_alarm: whether a server that starts on it raises an alarm.
    """

    source: str
    target: Path
    kept: Path | None
    size_before: int
    size_after: int
    page_size: int
    pages_before: int
    pages_used_before: int
    pages_after: int
    cured: tuple[Finding, ...]
    member_count: int
    has_alarm: bool


def _nothing() -> None:
    """Do nothing."""


class _Maps:
    """The maps of the old and the new file.

    Their memory is given back now and then; the system's cache has what is read again.
    """

    def __init__(self, let_go_of_old: Callable[[], None]) -> None:
        self._let_go_of_old = let_go_of_old
        self.let_go_of_new: Callable[[], None] = _nothing
        self._since = 0

    def have_read(self, size: int) -> None:
        self._since += size
        if self._since >= BYTES_AT_ONCE:
            self.let_go()

    def let_go(self) -> None:
        self._since = 0
        self._let_go_of_old()
        self.let_go_of_new()


class Work:
    """One database on its way into a new file."""

    def __init__(self, database: Database, plan: Plan, progress: Progress | None) -> None:
        self._database = database
        self._plan = plan
        self._progress = progress
        self._done = 0
        self._maps = _Maps(database.file.let_go)
        self._image = image = replace(database.image, let_go=self._maps.let_go)
        self._engine = chosen_engine()
        self._repacking = Repacking(image, self._engine, self._advance)
        self._cured: tuple[Finding, ...] = ()
        self._pages_used = image.high_water_mark
        self._pages_after = 0

    def refuse_full_disk(self, target: Path) -> None:
        """Raise when there is no room for the new file, whose pages may be a little less full than the old ones are."""
        try:
            refuse_full_disk(target, _size_of(self._image, self._image.high_water_mark))
        except EtcdtoolError:
            # free pages are not taken along, yet counting the others takes a while
            refuse_full_disk(target, _size_of(self._image, _pages_owned(self._image)))

    def write(self, output: Output) -> int:
        """Check the old file and pack everything; return the bytes of the image.

        Raises:
            AnswerIsNoError, FormatError: the old file is damaged.
            EtcdtoolError: the disk is full or fails.
        """
        try:
            with output.reporting():
                written = self._write(output.file)
                output.file.flush()
        except FormatError as error:
            raise error.at(self._database.name) from None
        self._pages_after = written.high_water_mark
        return written.size

    def _write(self, file: BinaryIO) -> Written:
        marks = bytearray(self._image.page_limit)
        changes = Changes()
        if self._plan.changes is None:
            with WriteBehind(file) as out:
                errors, written = self._repacking.check_and_write(out, marks)
            self._judge(errors, marks)
            if written is not None:
                return written
            file.seek(0)
            file.truncate()
        else:
            found = check(self._image, engine=self._engine, marks=marks)
            self._judge([finding for finding in found if finding.severity is Severity.ERROR], marks)
            changes = self._plan.changes(self._database, self._advance)
        with WriteBehind(file) as out:
            return self._repacking.write(out, changes)

    def _judge(self, errors: list[Finding], marks: bytearray) -> None:
        """Refuse a damaged file; hold what is known of a good one."""
        self._cured = tuple(one for one in errors if one.code in _CURED)
        _refuse(self._database.name, [one for one in errors if one.code not in _CURED], self._plan.verb)
        self._pages_used = count_used(marks)

    def prove(self, data: memoryview) -> None:
        """Read the new file back.

        Raises:
            FormatError: it does not hold what it should.
        """
        if isinstance(data.obj, mmap.mmap):
            self._maps.let_go_of_new = partial(data.obj.madvise, mmap.MADV_DONTNEED)
        self._maps.let_go()
        try:
            self._repacking.prove(data, self._maps.let_go)
        finally:
            self._maps.let_go_of_new = _nothing  # who holds the map holds the lock of the file

    def shrunk(self, target: Path, kept: Path | None, size: int) -> Shrunk:
        """Return the figures, for a new file of that many bytes."""
        return Shrunk(
            source=self._database.name,
            target=target,
            kept=kept,
            size_before=self._database.size,
            size_after=size,
            page_size=self._image.page_size,
            pages_before=self._image.high_water_mark,
            pages_used_before=self._pages_used,
            pages_after=self._pages_after,
            cured=self._cured,
            member_count=len(read_bucket(self._image, schema.MEMBERS)),
            has_alarm=bool(read_bucket(self._image, schema.ALARM)),
        )

    def _advance(self, size: int) -> None:
        self._done += size
        self._maps.have_read(size)
        if self._progress is not None:
            total = self._plan.passes * self._pages_used * self._image.page_size
            self._progress(min(self._done, total), total)


def map_output(output: Output) -> memoryview:
    """Return what was written so far, as it lies on disk."""
    # not closed by hand: views of it may be alive, and the last of them closes it
    return memoryview(mmap.mmap(output.fileno(), 0, prot=mmap.PROT_READ))


def _size_of(image: Image, page_count: int) -> int:
    size = page_count * image.page_size
    return size + size // _SPARE_PARTS + _RESERVE_SIZE


def _pages_owned(image: Image) -> int:
    """Return how many pages are in use, as far as that can be told before they are checked."""
    try:
        return 2 + sum(
            len(walk(image, bucket).owned)
            for bucket in (cursor.root_bucket(image), *cursor.root_buckets(image).values())
            if bucket.inline is None
        )
    except PageError:
        return image.high_water_mark


def _refuse(name: str, errors: list[Finding], verb: str) -> None:
    if not errors:
        return
    lines = [f"  {finding}" for finding in errors[:_SHOWN_MAX]]
    more = len(errors) - _SHOWN_MAX
    lines += [f"  and {more} more"] if more > 0 else []
    raise AnswerIsNoError(
        "\n".join([f"{name} is damaged, so nothing is done to it ({verb})", *lines]),
        hint="etcdtool verify says it all, and snapshot salvage writes what can be read to a new snapshot",
    )
