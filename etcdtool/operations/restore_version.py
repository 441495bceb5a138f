"""The version of etcd that a data dir is written for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcdtool.errors import UnsupportedVersionError
from etcdtool.model import schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etcdtool.model.schema import Version

__all__ = ["VERSIONS", "version_text", "version_to_write"]

VERSIONS: tuple[Version, ...] = ((3, 4), (3, 5), (3, 6), (3, 7))
"""Versions that a data dir can be written for."""


def version_text(version: Version) -> str:
    """Return a version as people write it."""
    return ".".join(map(str, version))


def version_to_write(meta: Mapping[bytes, bytes], wanted: Version | None) -> Version:
    """Return the version whose way of writing is used: the wanted one, else that of the data.

    Raises:
        UnsupportedVersionError: the data are newer than any version we know.
    """
    found = schema.detect_schema_version(meta)
    if found > VERSIONS[-1]:
        raise UnsupportedVersionError(
            f"storage version {schema.storage_version(meta)} is not known",
            hint=f"This program knows versions up to {version_text(VERSIONS[-1])}.",
        )
    return wanted or max(found, VERSIONS[0])
