"""``snapshot diff``: what two databases hold otherwise, without a server.

Keys are compared as they stand at one revision of each file, by value: history is not compared (`hashkv` with several
files does that).  What is said beside keys has no revision, and is compared as each file ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etcdtool.errors import EtcdtoolError, UsageError
from etcdtool.model.key_differences import KeyChange, compare_keys
from etcdtool.model.key_range import KeyRange
from etcdtool.model.key_state import KeyState, find_ends
from etcdtool.operations.diff_cluster import SECTIONS, differences, lease_differences, naming, own_facts
from etcdtool.operations.engine import chosen_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from etcdtool.formats.engine import Engine
    from etcdtool.model.key_differences import KeyDifferences
    from etcdtool.model.key_range import KeyChoice
    from etcdtool.model.key_state import Ends
    from etcdtool.operations.diff_cluster import ClusterDifference, LeaseDifferences, NamedDatabase, Own

__all__ = ["Diff", "DiffOptions", "Side", "diff"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffOptions:
    """What is compared.

    Attributes:
        prefix: keys that begin so, and nothing beside keys; None: all keys, and the rest.
        chosen: keys that are among these, and nothing beside keys; goes before the prefix.
        revision: at which keys are compared; 0: at the newest of each file.
        at_common_revision: at the newest that both hold.
        metadata: whether a key counts that was written again with the same value.
        ignored: of `SECTIONS`, what is not compared.
    """

    prefix: bytes | None = None
    chosen: KeyChoice | None = None
    revision: int = 0
    at_common_revision: bool = False
    metadata: bool = False
    ignored: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two.

    Attributes:
        name, kind: of the source.
        revision, compact_revision: as a server has them.
        compared_at: the revision at which keys were compared.
        keys: how many there were.
    """

    name: str
    kind: str
    revision: int
    compact_revision: int
    compared_at: int
    keys: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """What two databases hold otherwise.

    Attributes:
        before, after: the two, as they were given.
        metadata: as of `DiffOptions`.
        keys: the keys that differ.
        sections: of `SECTIONS`, what was compared.
        sections_count: whether what differs there makes the two different: not where keys were compared at a revision
            that one of the files goes beyond.
        leases, others: what differs beside keys.
        own: what is each file's own, and counts for nothing; not told where keys alone were compared.
    """

    before: Side
    after: Side
    metadata: bool
    keys: KeyDifferences
    sections: tuple[str, ...]
    sections_count: bool
    leases: LeaseDifferences | None
    others: tuple[ClusterDifference, ...]
    own: tuple[Own, ...]

    @property
    def equal(self) -> bool:
        """Whether the two are the same in what counts."""
        counts = self.keys.counts
        if not self.metadata:
            del counts[KeyChange.TOUCHED]
        return not any(counts.values()) and not (self.sections_count and any(self.section_counts.values()))

    @property
    def section_counts(self) -> dict[str, int]:
        """How much differs in each section that was compared."""
        found = dict.fromkeys(self.sections, 0)
        for one in self.others:
            found[one.section] += 1
        if self.leases is not None:
            found["leases"] = len(self.leases)
        return found

    def beside_keys(self) -> Iterator[ClusterDifference]:
        """Yield what differs beside keys."""
        yield from self.leases or ()
        yield from self.others


def diff(
    before: NamedDatabase,
    after: NamedDatabase,
    options: DiffOptions | None = None,
    *,
    engine: Engine | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Diff:
    """Compare two databases.

    Args:
        before: an opened one.
        after: another one.
        options: what is compared.
        engine: how buckets are read; what ``ETCDTOOL_ENGINE`` says when not given.
        advance: is told the bytes of each block when it is read.

    Raises:
        UsageError: two revisions are asked for.
        EtcdtoolError: a file does not hold the revision asked for, or there is none that both hold.
        FormatError: one of them is damaged.
    """
    options = options or DiffOptions()
    engine = engine or chosen_engine()
    if options.revision and options.at_common_revision:
        raise UsageError("--rev and --at-common-revision ask for two revisions", hint="Leave one of them out")
    both = (before, after)
    ends = []
    for one in both:
        with naming(one.name):
            ends.append(find_ends(one.image, engine=engine))
    revisions = _revisions(both, ends, options)
    keys: KeyChoice = KeyRange.everything() if options.prefix is None else KeyRange.prefix(options.prefix)
    if options.chosen is not None:
        keys = options.chosen
    only_keys = options.prefix is not None or options.chosen is not None
    states = []
    for one, revision in zip(both, revisions, strict=True):
        with naming(one.name):
            states.append(KeyState.read(one.image, revision, keys, name=one.name, engine=engine, advance=advance))
    sections = () if only_keys else tuple(one for one in SECTIONS if one not in options.ignored)
    return Diff(
        before=_side(before, ends[0], states[0]),
        after=_side(after, ends[1], states[1]),
        metadata=options.metadata,
        keys=compare_keys(states[0], states[1]),
        sections=sections,
        sections_count=all(end.current_revision == at for end, at in zip(ends, revisions, strict=True)),
        leases=lease_differences(before, after, engine=engine) if "leases" in sections else None,
        others=tuple(one for one in differences(before, after) if one.section in sections) if sections else (),
        own=tuple(own_facts(before, after)) if sections else (),
    )


def _side(database: NamedDatabase, ends: Ends, state: KeyState) -> Side:
    return Side(
        name=database.name,
        kind=database.kind,
        revision=ends.current_revision,
        compact_revision=ends.compact_revision,
        compared_at=state.revision,
        keys=len(state),
    )


def _revisions(both: tuple[NamedDatabase, NamedDatabase], ends: list[Ends], options: DiffOptions) -> list[int]:
    """Return the revision to compare each at."""
    newest = [end.current_revision for end in ends]
    if options.revision:
        for one, end in zip(both, ends, strict=True):
            end.check_readable(options.revision, one.name)
        return [options.revision] * len(both)
    if not options.at_common_revision:
        return newest
    common = min(newest)
    for place, end in enumerate(ends):
        if common < end.compact_revision:
            own, other = both[place].name, both[1 - place].name
            raise EtcdtoolError(
                f"there is no revision that both hold: {own} is compacted at {end.compact_revision}, "
                f"and {other} ends at {common}",
                hint="Leave --at-common-revision out to compare each at its newest revision",
            )
    return [common] * len(both)
