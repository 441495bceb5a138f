"""``verify``: everything that can be said about a database file without a server.

The sha256 is computed in one other thread over the same map, which also reads ahead; the checks run meanwhile.
Findings come in the order container, pages, revisions, generations.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from typing import TYPE_CHECKING, Protocol, Self

from etcdtool.checks.buckets import check_buckets
from etcdtool.checks.container import check_container, digest_positions
from etcdtool.checks.generations import check_generations
from etcdtool.checks.pages import NO_IMAGE, check_pages
from etcdtool.checks.revisions import NOT_CHECKED, RowCheck, check_compaction_marks
from etcdtool.errors import FormatError
from etcdtool.findings import Finding, Report
from etcdtool.formats.bbolt import cursor
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.digest import TRAILER_SIZE, has_trailer
from etcdtool.model import schema
from etcdtool.model.keyspace import Compactions, KeyspaceBuilder, iter_rows, read_meta
from etcdtool.model.revision import MAIN_MAX
from etcdtool.operations.engine import chosen_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from etcdtool.formats.engine import Engine

    Progress = Callable[[int, int], None]

__all__ = ["VerifiableDatabase", "verify"]

_FINDINGS_PER_CODE_MAX = 100
_HASH_CHUNK_SIZE = 8 << 20
_POLL_SECONDS = 0.1


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


def verify(database: VerifiableDatabase, *, progress: Progress | None = None, engine: Engine | None = None) -> Report:
    """Check the trailer, the pages, the revisions and the history of a snapshot or database file.

    A file that is cut short or damaged gives findings, as far as it can be read.

    Args:
        database: an opened file.
        progress: is called with the bytes done and the bytes there are.
        engine: how buckets are read; what ``ETCDTOOL_ENGINE`` says when not given.
    """
    engine = engine or chosen_engine()
    data, name = database.file.data, database.name
    try:
        image = Image.open(data, partial=True)
    except FormatError as error:
        return _report_without_image(data, name, error)
    image_size = image.high_water_mark * image.page_size
    with _Hasher(data, digest_positions(len(data), image_size)) as hasher:

        def advance(position: int) -> None:
            if progress is not None:
                progress(*hasher.progress(position))

        checks = [*_limited(check_pages(image, engine=engine)), *_check_keyspace(image, engine, advance)]
        digests = hasher.wait(advance)
    container = check_container(data, name=name, image_size=image_size, digests=digests)
    return Report([*container, *checks])


def _report_without_image(data: memoryview, name: str, error: FormatError) -> Report:
    report = Report([NO_IMAGE.finding(name, error.problem, offset=error.offset, hint=error.hint)])
    size = len(data)
    if has_trailer(size):
        image_size = size - TRAILER_SIZE
        with _Hasher(data, [image_size]) as hasher:
            digests = hasher.wait(lambda _: None)
        report.extend(check_container(data, name=name, image_size=image_size, digests=digests))
    return report


def _check_keyspace(image: Image, engine: Engine, advance: Callable[[int], None]) -> Iterator[Finding]:
    try:
        buckets = cursor.root_buckets(image)
        meta = read_meta(image)
    except FormatError:
        yield NOT_CHECKED.finding("the root bucket and bucket meta", "a page of theirs cannot be read")
        return
    yield from check_buckets(buckets)
    yield from check_compaction_marks(meta)
    if schema.KEY not in buckets:
        return
    compactions = _compactions(meta)
    builder = KeyspaceBuilder(image)
    check = RowCheck(image.data, compactions.revision if compactions else MAIN_MAX)
    limiter = _Limiter()
    found: list[Finding] = []
    try:
        for rows in iter_rows(image, buckets[schema.KEY], engine=engine):
            found.extend(limiter.pass_on(check.findings(rows)))
            builder.add(rows)
            advance(int(rows.message_end[-1]))
    except FormatError:
        # how far a reader came before a bad page depends on the reader: what it saw until then is left out
        yield NOT_CHECKED.finding("bucket key", "a page of its tree cannot be read")
        return
    yield from found
    yield from limiter.summary()
    if compactions is not None:
        yield from _limited(check_generations(builder.finish(compactions)))


def _compactions(meta: dict[bytes, bytes]) -> Compactions | None:
    try:
        return Compactions.parse(meta)
    except FormatError:
        return None


class _Limiter:
    """Lets the first findings of each code through, and counts the others."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._beyond: dict[str, Finding] = {}

    def pass_on(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """Yield those that are among the first of their code."""
        for finding in findings:
            self._counts[finding.code] += 1
            if self._counts[finding.code] <= _FINDINGS_PER_CODE_MAX:
                yield finding
            else:
                self._beyond.setdefault(finding.code, finding)

    def summary(self) -> Iterator[Finding]:
        """Yield one finding for each code of which some were left out."""
        for code, finding in self._beyond.items():
            detail = f"{self._counts[code] - _FINDINGS_PER_CODE_MAX} more findings like this"
            yield Finding(code=code, severity=finding.severity, where="file", detail=detail)


def _limited(findings: Iterable[Finding]) -> Iterator[Finding]:
    limiter = _Limiter()
    yield from limiter.pass_on(findings)
    yield from limiter.summary()


class _Hasher:
    """Computes sha256 sums of the first bytes of a file, up to several positions in one pass, in a thread."""

    def __init__(self, data: memoryview, positions: Sequence[int]) -> None:
        self._data = data
        self._positions = positions
        self._done = 0
        self._digests: dict[int, bytes] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sha256", daemon=True)

    def _run(self) -> None:
        digest = hashlib.sha256()
        for position in self._positions:
            while self._done < position:
                if self._stopped.is_set():
                    return
                end = min(self._done + _HASH_CHUNK_SIZE, position)
                digest.update(self._data[self._done : end])
                self._done = end
            self._digests[position] = digest.digest()

    def progress(self, position: int) -> tuple[int, int]:
        """Return bytes done and bytes in all; without a trailer to check, those of the reader."""
        return (self._done, self._positions[-1]) if self._positions else (position, len(self._data))

    def wait(self, advance: Callable[[int], None]) -> dict[int, bytes]:
        """Return position -> sha256 of all bytes before it."""
        while self._thread.is_alive():
            self._thread.join(_POLL_SECONDS)
            advance(len(self._data))
        return self._digests

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stopped.set()
        self._thread.join()
