"""Peer URLs as etcd writes them, and the member ids that are computed from them.

Read from ``client/pkg/types/{urls,urlsmap}.go``, ``server/etcdserver/api/membership/member.go`` @ v3.6.14 and Go's
``net/url``.  A member id is the head of a sha1 over the URLs as Go prints them, so they have to come out byte for byte.
"""

from __future__ import annotations

import ipaddress
import re
from hashlib import sha1
from typing import TYPE_CHECKING

from etcdtool.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["canonical_peer_url", "member_id", "parse_registration", "shown"]

_HTTP_URL = re.compile(r"(https?)://(\[[^\[\]]*\]|[^\[\]:/?#@]*):([0-9]*)", re.IGNORECASE | re.ASCII)
_UNIX_URL = re.compile(
    r"(unixs?):(//[\w.~-]+(?::[0-9]*)?(?:/[\w.~/-]*)?|(?:///?)?[\w.~-][\w.~/-]*)", re.IGNORECASE | re.ASCII
)
_HOST = re.compile(r"""(?:[\w.~!$&'()*+;=<>"-]|%[89a-fA-F][0-9a-fA-F]|[^\x00-\x7f])*""", re.ASCII)
_ZONE = re.compile(r"[\w.~-]+", re.ASCII)
# what Go's strings.TrimSpace takes off, which is less than str.strip does
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


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
    for pair in value.decode("utf-8", "surrogateescape").strip(_SPACE).split(","):
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
    url = text.strip(_SPACE)
    if match := _HTTP_URL.fullmatch(url):
        return f"{match[1].lower()}://{_canonical_host(match[2])}:{match[3]}"
    if match := _UNIX_URL.fullmatch(url):
        return f"{match[1].lower()}:{match[2]}"
    if re.match(r"https?://[^/?#@]*/", url, re.IGNORECASE):
        raise _bad("a peer url must not contain a path")
    if re.match(r"https?:", url, re.IGNORECASE):
        raise _bad("a peer url does not have the form scheme://host:port")
    if re.match(r"unixs?:", url, re.IGNORECASE):
        raise _bad("a unix peer url is not of the form unix://host:port or unix:///path")
    raise _bad("a peer url's scheme is not http, https, unix or unixs")


def _canonical_host(host: str) -> str:
    if host.startswith("["):
        address, percent, zone = host[1:-1].partition("%25")
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            raise _bad("a peer url has brackets around what is no IPv6 address") from None
        if "%" in address or (percent and not _ZONE.fullmatch(zone)):
            raise _bad("a peer url has a zone that cannot be read")
        return host
    if not _HOST.fullmatch(host):
        raise _bad("a peer url has a character that no host name has")
    escaped = re.sub(r"%..", lambda match: match[0].upper(), host).encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in escaped)


def _bad(problem: str) -> FormatError:
    return FormatError("registration", problem)


def shown(text: bytes) -> str:
    """Return bytes that are mostly text, as a person reads them in a report."""
    return text.decode("utf-8", "backslashreplace")
