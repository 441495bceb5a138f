"""A member of a cluster as JSON and as fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etcdtool.cli.text import hex_id, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etcdtool.model.membership import Member

__all__ = ["id_json", "member_fields", "member_json"]


def id_json(number: int) -> dict[str, Any]:
    """Return an id in both forms."""
    return {"id": hex_id(number), "id_decimal": number}


def member_json(member: Member) -> dict[str, Any]:
    """Return a member as ``GET /v2/members`` has it, its id in decimal too."""
    return {
        **id_json(member.id),
        "name": member.name,
        "peerURLs": list(member.peer_urls),
        "clientURLs": list(member.client_urls),
    }


def member_fields(member: Member) -> Iterable[tuple[str, str]]:
    """Yield what ``-w fields`` says of a member."""
    yield "ID", str(member.id)
    yield "ID (hex)", quoted(hex_id(member.id))
    yield "Name", quoted(member.name)
    for url in member.peer_urls:
        yield "PeerURL", quoted(url)
    for url in member.client_urls:
        yield "ClientURL", quoted(url)
