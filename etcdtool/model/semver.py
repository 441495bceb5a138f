"""Semantic versions as etcd reads and compares them.

``github.com/coreos/go-semver/semver`` @ v0.3.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import Self

__all__ = ["SemanticVersion"]

_IDENTIFIER = re.compile(r"[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*")
_NUMBER = re.compile(r"[+-]?[0-9]+")
_I64_MIN, _I64_MAX = -(1 << 63), (1 << 63) - 1


@total_ordering
@dataclass(frozen=True, slots=True)
class SemanticVersion:
    """A version; one with a pre-release is lower than one without, and metadata count for nothing.

    Attributes:
        major, minor, patch: signed 64-bit numbers.
        pre_release, metadata: what stands behind ``-`` and ``+``, "" for none.
    """

    major: int
    minor: int
    patch: int = 0
    pre_release: str = ""
    metadata: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a version.

        Raises:
            ValueError: it is none; says so in Go's words.
        """
        text, _, metadata = text.partition("+")
        text, _, pre_release = text.partition("-")
        parts = text.split(".", 2)
        if len(parts) != 3:
            raise ValueError(f"{text} is not in dotted-tri format")
        for name, identifier in (("pre-release", pre_release), ("metadata", metadata)):
            if identifier and _IDENTIFIER.fullmatch(identifier) is None:
                raise ValueError(f"failed to validate {name}: {identifier} is not a valid semver identifier")
        major, minor, patch = map(_parse_number, parts)
        return cls(major, minor, patch, pre_release, metadata)

    def to_minor(self) -> SemanticVersion:
        """Return major and minor alone."""
        return SemanticVersion(self.major, self.minor)

    def __str__(self) -> str:
        pre_release = f"-{self.pre_release}" if self.pre_release else ""
        metadata = f"+{self.metadata}" if self.metadata else ""
        return f"{self.major}.{self.minor}.{self.patch}{pre_release}{metadata}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SemanticVersion) and self._order() == other._order()

    def __lt__(self, other: SemanticVersion) -> bool:
        return self._order() < other._order()

    def __hash__(self) -> int:
        return hash(self._order())

    def _order(self) -> tuple[object, ...]:
        # numbers come before words, and the longer of two lists with the same beginning is the higher one
        words = self.pre_release.split(".")
        parts = tuple((0, int(word), "") if _is_go_int(word) else (1, 0, word) for word in words)
        return self.major, self.minor, self.patch, not self.pre_release, parts


def _parse_number(text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if not _I64_MIN <= int(text) <= _I64_MAX:
        raise ValueError(f'strconv.ParseInt: parsing "{text}": value out of range')
    return int(text)


def _is_go_int(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None and _I64_MIN <= int(text) <= _I64_MAX
