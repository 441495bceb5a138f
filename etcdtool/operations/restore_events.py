"""What a restore tells of itself while it runs, in the words that scripts wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Events", "Silent"]


class Events(Protocol):
    """Takes what is told."""

    def tell(self, message: str, fields: Mapping[str, object] | None = None, *, warning: bool = False) -> None:
        """Take one event: upstream's message, and its facts."""
        ...


class Silent:
    """Takes what is told and keeps it to itself."""

    def tell(self, message: str, fields: Mapping[str, object] | None = None, *, warning: bool = False) -> None:
        """Do nothing."""
