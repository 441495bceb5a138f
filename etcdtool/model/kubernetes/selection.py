"""Which objects are asked for: of a resource, a namespace, a name; found among the keys of a key space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.formats.words import unaligned_words
from etcdtool.model.key_range import KeyRange
from etcdtool.model.kubernetes_keys import ETCD_PREFIXES, ObjectKey, parse_key, plural, resource_folders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from etcdtool.model.keyspace import Keyspace

__all__ = ["Selection"]


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

    def rows(self, keyspace: Keyspace, live: NDArray[np.int64]) -> Iterator[tuple[bytes, int]]:
        """Yield key and row of each object asked for, in the order of the keys.

        Args:
            keyspace: the keys.
            live: the rows to look at, such as `Keyspace.rows_at` gives them.
        """
        rows = live[self.mask(keyspace, live)]
        found = sorted((keyspace.key_of(row), row) for row in rows.tolist())
        yield from ((key, row) for key, row in found if self.object_of(key) is not None)

    def mask(self, keyspace: Keyspace, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell of each of some rows whether its key may be asked for; what a key names has the last word."""
        words = unaligned_words(keyspace.data)
        start, size = keyspace.key_start[rows], keyspace.key_size[rows]
        found = np.zeros(len(rows), dtype=np.bool_)
        for asked in self._ranges():
            found |= asked.mask(words, start, size)
        if found.any() or not self.resource or "." in self.resource:
            return found
        for prefix in self.prefixes:  # the plural of a custom resource lies below a group that was not said
            found |= KeyRange.prefix(prefix + b"/").mask(words, start, size)
        return found

    def _ranges(self) -> Iterator[KeyRange]:
        namespace = f"{self.namespace}/" if self.namespace else ""
        for prefix in self.prefixes:
            if not self.resource:
                yield KeyRange.prefix(prefix + b"/")
                continue
            for folder in resource_folders(plural(self.resource)):
                yield KeyRange.prefix(prefix + f"/{folder}/{namespace}".encode())

    def _takes(self, found: ObjectKey) -> bool:
        if self.namespace and found.namespace != self.namespace:
            return False
        if self.name and found.name != self.name:
            return False
        if not self.resource:
            return True
        resource, _, group = plural(self.resource).partition(".")
        # Kubernetes' own groups are not in the key: deployments.apps lies in deployments
        return found.resource == resource and (not group or found.group in {"", group})
