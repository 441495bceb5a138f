"""``verify``: everything that can be said about a database file without a server.

The sha256 is computed in one other thread over the same map, which also reads ahead; the checks run meanwhile.
Findings come in the order container, pages, buckets, revisions, generations.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from etcdtool.checks.container import check_container, check_size, digest_positions
from etcdtool.checks.pages import NO_IMAGE, check_pages
from etcdtool.checks.skipped import say_skipped
from etcdtool.errors import FormatError
from etcdtool.findings import Report
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.digest import TRAILER_SIZE, has_trailer
from etcdtool.operations.engine import chosen_engine
from etcdtool.operations.hasher import Hasher
from etcdtool.operations.limiter import limited
from etcdtool.operations.verify_content import ContentCheck

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from etcdtool.findings import Finding
    from etcdtool.formats.engine import Engine
    from etcdtool.model.keyspace import Keyspace

    Progress = Callable[[int, int], None]

__all__ = ["Depth", "VerifiableDatabase", "verify"]


class _Bytes(Protocol):
    @property
    def data(self) -> memoryview: ...


class VerifiableDatabase(Protocol):
    """An opened file, such as `etcdtool.sources.Database`.

    Attributes:
        name: what to call it.
        file: holds ``data``, all its bytes, the trailer included.
    """

    @property
    def name(self) -> str: ...  # noqa: D102  the class says it

    @property
    def file(self) -> _Bytes: ...  # noqa: D102  the class says it


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much of a file is looked at.

    Attributes:
        quick: leave out what reads every byte: the sha256 sum and bucket ``key``; notes say so.
        sealed: with ``quick``, compute the sha256 sum all the same.
        in_data_dir: the file is a server's own database, which has no trailer and is preallocated.
        inspect: more checks of the key space, made when it can be read.
    """

    quick: bool = False
    sealed: bool = False
    in_data_dir: bool = False
    inspect: Callable[[Keyspace], Iterator[Finding]] | None = None

    @property
    def digested(self) -> bool:
        """Whether sha256 sums are computed."""
        return self.sealed or not self.quick


_FULL = Depth()


def verify(
    database: VerifiableDatabase,
    *,
    progress: Progress | None = None,
    engine: Engine | None = None,
    depth: Depth = _FULL,
    hasher: Hasher | None = None,
) -> Report:
    """Check the trailer, the pages, the buckets, the revisions and the history of a snapshot or database file.

    A file that is cut short or damaged gives findings, as far as it can be read.

    Args:
        database: an opened file.
        progress: is called with the bytes done and the bytes there are.
        engine: how buckets are read; what ``ETCDTOOL_ENGINE`` says when not given.
        depth: how much of it is looked at.
        hasher: one that is at work on this file already, and not ended here.
    """
    engine = engine or chosen_engine()
    data, name = database.file.data, database.name
    try:
        image = Image.open(data, partial=True)
    except FormatError as error:
        return _report_without_image(data, name, error, depth)
    image_size = image.high_water_mark * image.page_size
    positions = _positions(data, image_size, depth)
    given = hasher if hasher is not None and hasher.positions == positions else None
    with nullcontext(given) if given is not None else Hasher(data, positions) as sums:

        def advance(position: int) -> None:
            if progress is not None:
                progress(*sums.progress(position))

        content = ContentCheck(image=image, engine=engine, advance=advance, quick=depth.quick, inspect=depth.inspect)
        found = list(content.findings())  # proves leaves on the way, so that no page is read twice
        checks = [*limited(check_pages(image, engine=engine, proofs=content.proofs)), *found]
        digests = sums.wait(advance)
    return Report([*_check_container(data, name, image_size, digests, depth), *checks, *_skipped(depth)])


def _positions(data: memoryview, image_size: int, depth: Depth) -> list[int]:
    return [] if depth.in_data_dir or not depth.digested else digest_positions(len(data), image_size)


def _check_container(
    data: memoryview, name: str, image_size: int, digests: dict[int, bytes], depth: Depth
) -> Iterator[Finding]:
    if depth.in_data_dir:
        return check_size(data, name=name, image_size=image_size)
    return check_container(data, name=name, image_size=image_size, digests=digests if depth.digested else None)


def _skipped(depth: Depth) -> Iterator[Finding]:
    return say_skipped(sealed=depth.sealed) if depth.quick else iter(())


def _report_without_image(data: memoryview, name: str, error: FormatError, depth: Depth) -> Report:
    report = Report([NO_IMAGE.finding(name, error.problem, offset=error.offset, hint=error.hint)])
    size = len(data)
    if has_trailer(size) and not depth.in_data_dir:
        image_size = size - TRAILER_SIZE
        with Hasher(data, _positions(data, image_size, depth)) as hasher:
            digests = hasher.wait(lambda _: None)
        report.extend(_check_container(data, name, image_size, digests, depth))
    report.extend(_skipped(depth))
    return report
