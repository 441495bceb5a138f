"""From one version of the storage to another, a minor version at a time.

The versions differ in key ``storageVersion`` of bucket ``meta`` alone: up to 3.5 there is none, from 3.6 on it holds
the version.
Upstream: ``server/storage/schema/{schema,migration}.go`` @ v3.7.1, ``etcdutl/etcdutl/migrate_command.go`` @ v3.7.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcdtool.model.schema import CONSISTENT_INDEX, STORAGE_VERSION, TERM, parse_uint64
from etcdtool.model.semver import SemanticVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "FIRST_WITH_STORAGE_VERSION",
    "NEWEST_KNOWN",
    "detect_version",
    "parse_target",
    "plan_steps",
    "stored_version",
]

FIRST_WITH_STORAGE_VERSION = SemanticVersion(3, 6)
_LOWEST = SemanticVersion(3, 5)
NEWEST_KNOWN = SemanticVersion(3, 7)
_KNOWN = (FIRST_WITH_STORAGE_VERSION, NEWEST_KNOWN)


def parse_target(text: str) -> SemanticVersion:
    """Read a ``--target-version``.

    Raises:
        ValueError: it is no ``X.Y``, or below 3.5; says so in upstream's words.
    """
    if text.count(".") != 1:
        raise ValueError(f'wrong target version format, expected "X.Y", got "{text}"')
    try:
        target = SemanticVersion.parse(f"{text}.0")
    except ValueError as error:
        raise ValueError(f"failed to parse target version: {error}") from None
    if target < _LOWEST:
        raise ValueError(f'target version "{target.major}.{target.minor}" not supported. Minimal "3.5"')
    return target


def detect_version(meta: Mapping[bytes, bytes]) -> SemanticVersion | None:
    """Tell the version of the storage: what it says itself, else 3.5 where a term stands; None where none does.

    Raises:
        FormatError: the consistent index or the term has not 8 bytes.
    """
    try:
        return SemanticVersion.parse(meta.get(STORAGE_VERSION, b"").decode("utf-8", "replace"))
    except ValueError:
        pass
    if CONSISTENT_INDEX not in meta or not parse_uint64(meta.get(TERM, bytes(8)), "term"):
        return None
    return _LOWEST


def plan_steps(current: SemanticVersion, target: SemanticVersion) -> list[SemanticVersion]:
    """Return the versions on the way, the last is the target; none where both are of one minor version.

    Raises:
        ValueError: there is no way; says why in upstream's words.
    """
    current, target = current.to_minor(), target.to_minor()
    if current.major != target.major:
        raise ValueError("changing major storage version is not supported")
    steps = []
    while current != target:
        direction = 1 if current < target else -1
        following = SemanticVersion(current.major, current.minor + direction)
        newer = max(current, following)
        if newer not in _KNOWN:
            raise ValueError(f'version "{newer}" is not supported')
        steps.append(following)
        current = following
    return steps


def stored_version(version: SemanticVersion) -> bytes | None:
    """Return what ``storageVersion`` holds in storage of a version, None where it is not there."""
    return None if version < FIRST_WITH_STORAGE_VERSION else str(version.to_minor()).encode()
