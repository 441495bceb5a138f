"""What a member registered with: its name and peer URLs, and the member id that is computed from them.

Read from ``server/etcdserver/api/membership/member.go`` @ v3.6.14.  A member id is the head of a sha1 over the URLs as
Go prints them, so they have to come out byte for byte.
"""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING

from etcdtool.errors import FormatError
from etcdtool.model import peer_urls

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["canonical_peer_url", "member_id", "parse_registration", "shown"]


def member_id(urls: Iterable[str], token: bytes) -> str:
    """Return the id, hex without padding, that a member with these canonical peer URLs has under a token."""
    digest = sha1("".join(sorted(urls)).encode() + token, usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:8], 'big'):x}"


def parse_registration(value: bytes) -> tuple[str, tuple[str, ...]]:
    """Return name and sorted peer URLs of ``name=url[,name=url]``.

    Raises:
        FormatError: it is not of that form, or names more than one member.
    """
    names: dict[str, list[str]] = {}
    for pair in value.decode("utf-8", "surrogateescape").strip(peer_urls.GO_SPACE).split(","):
        name, equals, url = pair.partition("=")
        if not equals or not name:
            if pair:
                raise _bad("not of the form name=url")
            continue  # upstream passes over empty pairs
        names.setdefault(name, []).append(canonical_peer_url(url))
    if len(names) != 1:
        raise _bad("more than one member in one value" if names else "not of the form name=url")
    ((name, urls),) = names.items()
    return shown(name.encode("utf-8", "surrogateescape")), tuple(sorted(urls))


def canonical_peer_url(text: str) -> str:
    """Return a peer URL as Go's ``url.URL.String`` prints it, which is what member ids are computed from.

    Raises:
        FormatError: upstream refuses it, or it has parts (user, query, fragment) that no peer URL needs.
    """
    try:
        return peer_urls.canonical_peer_url(text)
    except peer_urls.PeerUrlError as error:
        raise _bad(f"a peer url {error.reason}") from None


def _bad(problem: str) -> FormatError:
    return FormatError("registration", problem)


def shown(text: bytes) -> str:
    """Return bytes that are mostly text, as a person reads them in a report."""
    return text.decode("utf-8", "backslashreplace")
