"""What a user asks of a backup beyond being sound: new enough, full enough, of the right cluster.

Everything here is an error, as the user made it a condition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.checks.codes import Code, shown
from etcdtool.findings import Severity
from etcdtool.model.membership import cluster_id, member_id_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from etcdtool.findings import Finding
    from etcdtool.model.keyspace import Keyspace

__all__ = ["CODES", "DIFFERS", "NOT_CHECKED", "Policy", "check_age", "check_cluster_id", "check_keyspace"]

_CLOCKS_APART_SECONDS = 300.0

MIN_REVISION = Code(
    code="policy.min-revision",
    severity=Severity.ERROR,
    meaning="The store had not come as far as --min-revision asks.",
    remedy="Take a new snapshot; look whether the one that was looked at is an old one.",
)
MAX_AGE = Code(
    code="policy.max-age",
    severity=Severity.ERROR,
    meaning="The file was last written to longer ago than --max-age allows, or in the future. A snapshot does not hold "
    "the time at which it was taken, so that of the file is taken for it.",
    remedy="See why no newer backup was made. Copy files with their times (cp -p, rsync -t).",
)
MIN_KEYS = Code(
    code="policy.min-keys",
    severity=Severity.ERROR,
    meaning="Fewer keys exist than --min-keys asks for.",
    remedy="See whether this is the right cluster, and whether someone has deleted keys.",
)
PREFIX_MISSING = Code(
    code="policy.prefix-missing",
    severity=Severity.ERROR,
    meaning="No key exists below a prefix that --require-prefix asks for.",
    remedy="See whether this is the right cluster, and whether someone has deleted the keys.",
)
CLUSTER_ID = Code(
    code="policy.cluster-id",
    severity=Severity.ERROR,
    meaning="The data are of another cluster than --expect-cluster-id says.",
    remedy="See where the file is from.",
)
CLUSTER_ID_UNKNOWN = Code(
    code="policy.cluster-id-unknown",
    severity=Severity.ERROR,
    meaning="Whether the data are of the cluster of --expect-cluster-id cannot be told. Only the log of a data dir "
    "holds its id. It is made from the ids of the first members, so a snapshot shows it as long as these are all there "
    "and no others.",
    remedy="Check a data dir, or leave the condition out for snapshots.",
)
DIFFERS = Code(
    code="policy.differs",
    severity=Severity.ERROR,
    meaning="The key space is not the one of --same-as: another revision, or other entries in the history that both "
    "still have.",
    remedy="etcdtool hashkv FILE OTHER says in which keys and from which revision on.",
)
NOT_CHECKED = Code(
    code="policy.not-checked",
    severity=Severity.ERROR,
    meaning="A condition could not be checked, as what it is about cannot be read.",
    remedy="Look at the other findings first.",
)
CODES = (
    MIN_REVISION,
    MAX_AGE,
    MIN_KEYS,
    PREFIX_MISSING,
    CLUSTER_ID,
    CLUSTER_ID_UNKNOWN,
    DIFFERS,
    NOT_CHECKED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Conditions; None and () ask for nothing.

    Attributes:
        min_revision: the current revision must be at least this.
        max_age_seconds: since the file was last written to.
        min_keys: keys that exist at the head.
        required_prefixes: below each of them at least one key must exist.
        cluster_id: of the cluster.
    """

    min_revision: int | None = None
    max_age_seconds: float | None = None
    min_keys: int | None = None
    required_prefixes: tuple[bytes, ...] = ()
    cluster_id: int | None = None

    @property
    def reads_keys(self) -> bool:
        """Whether bucket ``key`` has to be read."""
        return self.min_revision is not None or self.min_keys is not None or bool(self.required_prefixes)


def check_keyspace(policy: Policy, keyspace: Keyspace) -> Iterator[Finding]:
    """Yield the conditions on the key space that are not met."""
    current = keyspace.current_revision
    if policy.min_revision is not None and current < policy.min_revision:
        yield MIN_REVISION.finding("bucket key", f"revision {current}, at least {policy.min_revision} is asked for")
    if policy.min_keys is None and not policy.required_prefixes:
        return
    rows = keyspace.rows_at()
    rows = rows[keyspace.key_size[rows] > 0]  # no client sees the marker of a bumped revision
    if policy.min_keys is not None and len(rows) < policy.min_keys:
        yield MIN_KEYS.finding("bucket key", f"{len(rows)} keys, at least {policy.min_keys} are asked for")
    for prefix in policy.required_prefixes:
        if not _has_prefix(keyspace, rows, prefix):
            yield PREFIX_MISSING.finding("bucket key", f"no key begins with {shown(prefix)}")


def _has_prefix(keyspace: Keyspace, rows: NDArray[np.int64], prefix: bytes) -> bool:
    import numpy as np  # noqa: PLC0415  a file is mapped while NumPy is loaded, and this module is needed before

    octets = np.frombuffer(keyspace.data, dtype=np.uint8)
    start = keyspace.key_start[rows[keyspace.key_size[rows] >= len(prefix)]].astype(np.int64)
    for position, octet in enumerate(prefix):
        if not len(start):
            return False
        start = start[octets[start + position] == octet]
    return bool(len(start))


def check_age(policy: Policy, name: str, age_seconds: float) -> Iterator[Finding]:
    """Yield a finding for a file that is too old."""
    if policy.max_age_seconds is None:
        return
    if age_seconds > policy.max_age_seconds:
        detail = f"last written to {age_seconds:.0f} s ago, {policy.max_age_seconds:.0f} s are allowed"
        yield MAX_AGE.finding(name, detail)
    elif age_seconds < -_CLOCKS_APART_SECONDS:
        yield MAX_AGE.finding(name, f"last written to {-age_seconds:.0f} s in the future, so its age cannot be told")


def check_cluster_id(policy: Policy, name: str, *, logged: int, member_ids: Collection[int]) -> Iterator[Finding]:
    """Yield a finding where the data are not, or are not known to be, of the expected cluster.

    Args:
        policy: what is asked for.
        name: of the source.
        logged: the id in the log of a data dir, 0 where there is none.
        member_ids: of the members in the database.
    """
    expected = policy.cluster_id
    if expected is None or expected in {logged, cluster_id(member_ids)}:
        return
    if logged:
        detail = f"of the cluster {member_id_text(logged)}, {member_id_text(expected)} is expected"
        yield CLUSTER_ID.finding(name, detail)
    else:
        detail = f"holds no cluster id, and its members do not give {member_id_text(expected)}"
        yield CLUSTER_ID_UNKNOWN.finding(name, detail)
