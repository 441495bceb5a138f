"""Registrations of v2 discovery, rewritten for ``--discovery-token`` of etcd 3.6 and later.

Read from ``server/etcdserver/api/v2discovery/discovery.go`` @ v3.5.33, ``…/v3discovery/discovery.go`` @ v3.6.14; both
layouts, and what becomes of what, are in ``docs/formats/discovery.md``.

* v2: ``<root>/<token>/<member id>`` = ``name=url,name=url``, ``<root>/<token>/_config/size``.
* v3: ``<root>/<token>/members/<member id>`` with the same value, ``<root>/<token>/_config/size``.

A member id is a hash over the peer URLs and a token, which is the *whole discovery URL* for v2 clients and the *bare
token* for v3 clients.  A record moved under its old id would make its own member be turned away as one too many, so the
id is computed anew.  The size is written behind all records: whoever sees it sees them as well.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, ClassVar

from etcdtool.converters._peer_urls import shown
from etcdtool.converters._registry import Record, Registration, Registry, Token, parse_size, registrations_of, state_of
from etcdtool.converters._registry_findings import (
    expired_findings,
    overlap_findings,
    rename_findings,
    stray_findings,
    token_findings,
)
from etcdtool.errors import UsageError
from etcdtool.model.conversion import AFTER_ALL, Put, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from etcdtool.model.conversion import ConversionContext, Node, Outcome

__all__ = ["DiscoveryConverter"]

_V3_ROOT = b"/_etcd/registry"  # fixed in the v3 client, whatever root the v2 service had


class DiscoveryConverter:
    """Claims the registry; a subclass with another ``root`` reads one that stood elsewhere in v2."""

    name = "discovery"
    summary = "registrations of v2 discovery become those of --discovery-token (etcd 3.6 and later)"
    root: ClassVar[bytes] = b"/_etcd/registry"

    def claims(self, node: Node) -> bool:
        """Claim all that is under the root, and the directories that lead there."""
        path = node.path
        if path.startswith(self.root + b"/"):
            return True
        return node.is_directory and (self.root + b"/").startswith(path + b"/")

    def convert(self, nodes: Sequence[Node], context: ConversionContext) -> Iterator[Outcome]:
        """Yield what becomes of the registry: token by token the findings and members, then all sizes.

        Raises:
            UsageError: ``--token`` names a token that is not there, or would put two tokens into one.
        """
        registry = Registry(self.root, nodes, context)
        renamed = _renamed(registry.records, context)
        yield from registry.skipped
        yield from stray_findings(self.root, registry.loose)
        for loose in registry.loose:
            yield Skipped(node=loose, reason="not part of a registry")
        for record in registry.expired_records:
            yield from expired_findings(record)
        for record, token in zip(registry.records, _tokens(registry, renamed, context), strict=True):
            yield from token.problems
            for registration in token.members:
                yield _member_outcome(registration, token)
            for stray in record.strays:
                yield Skipped(node=stray, reason="not part of a registry")
        for record in registry.records:
            if record.size is not None:
                yield _put(record.size, _v3_path(renamed[record.token]) + b"/_config/size", AFTER_ALL, AFTER_ALL)

    def describe(self, nodes: Sequence[Node], context: ConversionContext) -> list[Token]:
        """Return the tokens among the nodes, for ``convert --list-tokens``; they may be the nodes of a whole store.

        Raises:
            UsageError: as `convert`.
        """
        registry = Registry(self.root, [node for node in nodes if self.claims(node)], context)
        return list(_tokens(registry, _renamed(registry.records, context), context))


def _tokens(registry: Registry, renamed: dict[bytes, bytes], context: ConversionContext) -> Iterator[Token]:
    v3_paths = sorted(_v3_path(token) for token in renamed.values())
    for record in registry.records:
        v3_token = renamed[record.token]
        registrations = registrations_of(record, v3_token)
        size = parse_size(record.size.value) if record.size is not None else None
        yield Token(
            token=record.token,
            v3_token=v3_token,
            size=size,
            state=state_of(record, size, sum(not registration.problem for registration in registrations)),
            members=registrations,
            problems=(
                *rename_findings(record, v3_token),
                *overlap_findings(record, _v3_path(v3_token), v3_paths),
                *token_findings(record, registrations, size, context),
            ),
        )


def _renamed(records: Sequence[Record], context: ConversionContext) -> dict[bytes, bytes]:
    """Return the v3 token for each v2 token, after checking that no two of them share a place in v3."""
    renamed = {record.token: record.token for record in records}
    for old, new in context.tokens.items():
        if _token_bytes(old) not in renamed:
            raise UsageError(f"there is no discovery token {old!r}", hint="convert --list-tokens shows them all.")
        renamed[_token_bytes(old)] = _token_bytes(new)
    by_path: dict[bytes, bytes] = {}
    for old_token, new_token in renamed.items():
        path = _v3_path(new_token)
        if not path.startswith(_V3_ROOT + b"/"):
            raise UsageError(f"{shown(new_token)!r} is no discovery token", hint="It names no place in the registry.")
        other = by_path.setdefault(path, old_token)
        if other != old_token:
            raise UsageError(
                f"the tokens {shown(other)!r} and {shown(old_token)!r} would both become {shown(new_token)!r}",
                hint="Give each --token a name of its own.",
            )
    return renamed


def _token_bytes(token: str) -> bytes:
    try:
        return token.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise UsageError(f"the discovery token {token!r} cannot be written as bytes") from None


def _v3_path(token: bytes) -> bytes:
    # as Go's path.Join does in the client; the id is computed from the token as it was given
    return posixpath.normpath(_V3_ROOT + b"/" + token)


def _member_outcome(registration: Registration, token: Token) -> Outcome:
    node = registration.node
    if registration.problem:
        reason = "same peer urls as an earlier registration" if registration.v3_id else "value is not name=url"
        return Skipped(node=node, reason=reason)
    key = _v3_path(token.v3_token) + b"/members/" + registration.v3_id.encode()
    return _put(node, key, node.created_index, node.modified_index)


def _put(node: Node, key: bytes, created_index: int, modified_index: int) -> Put:
    return Put(
        node=node,
        key=key,
        value=node.value,
        created_index=created_index,
        modified_index=modified_index,
        expires=node.expires,
    )
