"""What discovery tokens a v2 store holds: ``convert --list-tokens``.

The converter that reads the registry also describes it (an optional method ``describe``), so that what is listed and
what is converted cannot differ, and the core needs no knowledge of one converter's subject.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from etcdtool.errors import UsageError
from etcdtool.model.conversion import ConversionContext
from etcdtool.operations.converters import DEFAULT_CHAIN, load_chain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from etcdtool.findings import Finding
    from etcdtool.model.conversion import Node

__all__ = ["MemberView", "TokenView", "list_tokens"]


class MemberView(Protocol):
    """One member that registered under a token."""

    @property
    def name(self) -> str:
        """Its name, empty when the value is no registration."""
        ...

    @property
    def urls(self) -> Sequence[str]:
        """Its peer URLs as Go prints them, sorted."""
        ...

    @property
    def v2_id(self) -> str:
        """The id it registered under, as it stands in the key."""
        ...

    @property
    def v3_id(self) -> str:
        """The id that it has for a v3 client, hex without padding; empty when its URLs are bad."""
        ...

    @property
    def created_index(self) -> int:
        """Its turn: the first ``size`` members by this index are the cluster."""
        ...

    @property
    def problem(self) -> str:
        """Why it is not converted, or nothing."""
        ...


class TokenView(Protocol):
    """One discovery token."""

    @property
    def token(self) -> bytes:
        """Its name in v2."""
        ...

    @property
    def v3_token(self) -> bytes:
        """The name it gets: the same, or the one of ``--token OLD=NEW``."""
        ...

    @property
    def size(self) -> int | None:
        """How many members make the cluster, None when a v3 client could not tell."""
        ...

    @property
    def state(self) -> str:
        """One of unused, waiting 2 of 5, complete, over-full, size missing, bad size."""
        ...

    @property
    def members(self) -> Sequence[MemberView]:
        """Who registered, in order of created index."""
        ...

    @property
    def problems(self) -> Sequence[Finding]:
        """Findings about this token."""
        ...


@runtime_checkable
class _Describing(Protocol):
    def describe(self, nodes: Sequence[Node], context: ConversionContext) -> Sequence[TokenView]: ...


def list_tokens(
    nodes: Sequence[Node],
    *,
    as_of: int = 0,
    tokens: Mapping[str, str] | None = None,
    converters: Sequence[str] = DEFAULT_CHAIN,
) -> list[TokenView]:
    """Return the discovery tokens among the nodes of a v2 store, by name.

    Args:
        nodes: all nodes of the store.
        as_of: unix nanoseconds; registrations that have expired by then are named as such.
        tokens: ``--token OLD=NEW``: the ids are those of the new names.
        converters: names or paths, as for ``-c``; those that can describe what they read are asked.

    Raises:
        UsageError: none of the converters reads a registry, one cannot be loaded, or ``tokens`` names an unknown one.
    """
    describing = [converter for converter in load_chain(converters) if isinstance(converter, _Describing)]
    if not describing:
        raise UsageError("none of the converters reads a discovery registry", hint="Add -c discovery.")
    expired = [node for node in nodes if node.expires is not None and node.expires <= as_of]
    gone = {node.path for node in expired}
    alive = [node for node in nodes if node.path not in gone]
    context = ConversionContext(tokens=tokens or {}, as_of=as_of, expired=expired)
    return [view for converter in describing for view in converter.describe(alive, context)]
