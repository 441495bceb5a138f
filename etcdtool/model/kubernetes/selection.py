"""Which objects are asked for: of a resource, a namespace, a name; told by their keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from etcdtool.model.key_range import KeyRange
from etcdtool.model.kubernetes_keys import ETCD_PREFIXES, ObjectKey, is_own, parse_key, plural, resource_folders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from etcdtool.formats.words import UnalignedWords
    from etcdtool.model.key_range import KeyChoice

__all__ = ["Selection", "Within"]

_OWN_GROUPS = frozenset({"", "apiextensions.k8s.io", "apiregistration.k8s.io"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Objects that are asked for.

    Attributes:
        resource: a word as `etcdtool.model.kubernetes_keys.plural` takes it; "" for every one.
        namespace, name: "" for every one.
        prefixes: what keys of objects begin with.
    """

    resource: str = ""
    namespace: str = ""
    name: str = ""
    prefixes: tuple[bytes, ...] = ETCD_PREFIXES

    def object_of(self, key: bytes) -> ObjectKey | None:
        """Return what a key names if it is asked for, else None."""
        found = parse_key(key, self.prefixes)
        return found if found is not None and self._takes(found) else None

    def __contains__(self, key: bytes) -> bool:
        return self.object_of(key) is not None

    def mask(
        self, words: UnalignedWords, start: NDArray[np.integer[Any]], size: NDArray[np.integer[Any]]
    ) -> NDArray[np.bool_]:
        """Tell of each key whether it is asked for, as `KeyRange.mask` does.

        Which resource it is of is told by columns; only what is left is looked at one by one.
        """
        found = np.zeros(len(start), dtype=np.bool_)
        for asked in self._ranges():
            found |= asked.mask(words, start, size)
        for place in np.flatnonzero(found).tolist():
            first = int(start[place])
            found[place] = bytes(words.data[first : first + int(size[place])]) in self
        return found

    def _ranges(self) -> Iterator[KeyRange]:
        namespace = f"{self.namespace}/" if self.namespace else ""
        resource = plural(self.resource)
        for prefix in self.prefixes:
            if not resource or not ("." in resource or is_own(resource)):
                yield KeyRange.prefix(prefix + b"/")  # a custom resource lies below a group that was not said
                continue
            for folder in resource_folders(resource):
                yield KeyRange.prefix(prefix + f"/{folder}/{namespace}".encode())

    def _takes(self, found: ObjectKey) -> bool:
        if self.namespace and found.namespace != self.namespace:
            return False
        if self.name and found.name != self.name:
            return False
        if not self.resource:
            return True
        resource, _, group = plural(self.resource).partition(".")
        if found.resource != resource:
            return False
        if group:  # Kubernetes' own groups are not in the key: deployments.apps lies in deployments
            return found.group == group or (not found.group and is_own(resource))
        return not is_own(resource) or found.group in _OWN_GROUPS


@dataclass(frozen=True, slots=True)
class Within:
    """The keys that two choices have in common."""

    first: KeyChoice
    second: KeyChoice

    def __contains__(self, key: bytes) -> bool:
        return key in self.first and key in self.second

    def mask(
        self, words: UnalignedWords, start: NDArray[np.integer[Any]], size: NDArray[np.integer[Any]]
    ) -> NDArray[np.bool_]:
        """Tell of each key whether both choices have it; see `KeyRange.mask`."""
        found = self.first.mask(words, start, size)
        rows = np.flatnonzero(found)
        found[rows] = self.second.mask(words, start[rows], size[rows])
        return found
