"""Peer URLs as etcd writes them: member ids are computed from them, so they have to come out byte for byte.

Read from ``client/pkg/types/{urls,urlsmap}.go`` @ v3.7.1 and Go's ``net/url``.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from etcdtool.errors import FormatError
from etcdtool.model.gotext import quoted_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["GO_SPACE", "PeerUrlError", "canonical_peer_url", "parse_initial_cluster", "parse_peer_urls"]

_HTTP_URL = re.compile(r"(https?)://(\[[^\[\]]*\]|[^\[\]:/?#@]*):([0-9]*)", re.IGNORECASE | re.ASCII)
_UNIX_URL = re.compile(
    r"(unixs?):(//[\w.~-]+(?::[0-9]*)?(?:/[\w.~/:-]*)?|(?:///?|/)?[\w.~-][\w.~/-]*|(?:///|/)?[\w.~-][\w.~/:-]*)",
    re.IGNORECASE | re.ASCII,
)
_HOST = re.compile(r"""(?:[\w.~!$&'()*+;=<>"-]|%[89a-fA-F][0-9a-fA-F]|[^\x00-\x7f])*""", re.ASCII)
_ZONE = re.compile(r"[\w.~-]+", re.ASCII)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*", re.IGNORECASE)
_AUTHORITY = re.compile(r"//([^/?#]*)")
_PORT = re.compile(r":[0-9]*", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NO_SCHEME = "has a scheme that is not http, https, unix or unixs"
_NO_PORT = "does not have the form scheme://host:port"

GO_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""What Go's ``strings.TrimSpace`` takes off, which is less than ``str.strip`` does."""


class PeerUrlError(FormatError):
    """A peer URL that etcd refuses, or one with parts (user, query, fragment) that none needs.

    Attributes:
        reason: what is wrong with it, as the end of a sentence about it; ``problem`` is upstream's message.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__("peer url", message)


def canonical_peer_url(text: str) -> str:
    """Return a peer URL as Go's ``url.URL.String`` prints it.

    Raises:
        PeerUrlError: it is none.
    """
    url = text.strip(GO_SPACE)
    if _CONTROL.search(url):
        shown = quoted_bytes(url.encode("utf-8", "surrogateescape"))
        raise PeerUrlError("holds a control character", f"parse {shown}: net/url: invalid control character in URL")
    if match := _HTTP_URL.fullmatch(url):
        return f"{match[1].lower()}://{_canonical_host(match[2], url)}:{match[3]}"
    if match := _UNIX_URL.fullmatch(url):
        return f"{match[1].lower()}:{match[2]}"
    raise _refusal(url)


def parse_peer_urls(texts: Iterable[str]) -> tuple[str, ...]:
    """Return peer URLs as Go prints them, sorted.

    Raises:
        PeerUrlError: one of them is none.
    """
    return tuple(sorted(map(canonical_peer_url, texts)))


def parse_initial_cluster(text: str) -> dict[str, tuple[str, ...]]:
    """Return the peer URLs of each name of ``name=url,name=url``, sorted; a name may stand more than once.

    Raises:
        PeerUrlError: one of the URLs is none.
    """
    urls: dict[str, list[str]] = {}
    for pair in filter(None, text.split(",")):
        name, _, url = pair.partition("=")
        urls.setdefault(name, []).append(url)
    return {name: parse_peer_urls(of_name) for name, of_name in urls.items()}


def _refusal(url: str) -> PeerUrlError:
    scheme, colon, rest = url.partition(":")
    if colon and "/" not in scheme and _SCHEME.fullmatch(scheme) is None:
        return PeerUrlError(_NO_SCHEME, f'parse "{url}": first path segment in URL cannot contain colon')
    if colon and scheme.lower() in {"http", "https"}:
        return _http_refusal(url, rest)
    if colon and scheme.lower() in {"unix", "unixs"}:
        form = "of the form unix://host:port or unix:///path"
        return PeerUrlError(f"of a socket is not {form}", f"URL is not {form}: {url}")
    return PeerUrlError(_NO_SCHEME, f"URL scheme must be http, https, unix, or unixs: {url}")


def _http_refusal(url: str, rest: str) -> PeerUrlError:
    authority = _AUTHORITY.match(rest)
    place = authority[1].rpartition("@")[2] if authority else ""
    bracket, port = place.rpartition("]")[1:]
    if not place.startswith("["):
        port = place[place.find(":") :] if ":" in place else ""
    elif not bracket:
        return PeerUrlError("has a bracket that nothing closes", f"parse \"{url}\": missing ']' in host")
    if port and not _PORT.fullmatch(port):
        return PeerUrlError(_NO_PORT, f'parse "{url}": invalid port "{port}" after host')
    if not port:
        return PeerUrlError(_NO_PORT, f'URL address does not have the form "host:port": {url}')
    if rest.removeprefix("//").partition("?")[0].partition("#")[0].find("/") >= 0:
        return PeerUrlError("must not contain a path", f"URL must not contain a path: {url}")
    return PeerUrlError(_NO_PORT, f"URL has more than scheme, host and port: {url}")


def _canonical_host(host: str, url: str) -> str:
    if host.startswith("["):
        if escape := re.search("%(?!25).{0,2}", host[1:-1]):
            raise _bad_escape(url, escape[0])
        address, percent, zone = host[1:-1].partition("%25")
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            reason = "has brackets around what is no IPv6 address"
            raise PeerUrlError(reason, f'parse "{url}": invalid host: {host}') from None
        if "%" in address or (percent and not _ZONE.fullmatch(zone)):
            raise PeerUrlError("has a zone that cannot be read", f'parse "{url}": invalid URL escape in {host}')
        return host
    if not _HOST.fullmatch(host):
        bad = _HOST.sub("", host, count=1)[:3]
        if bad.startswith("%"):
            raise _bad_escape(url, bad)
        reason = "has a character that no host name has"
        raise PeerUrlError(reason, f'parse "{url}": invalid character "{bad[0]}" in host name')
    escaped = re.sub(r"%..", lambda match: match[0].upper(), host).encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in escaped)


def _bad_escape(url: str, escape: str) -> PeerUrlError:
    return PeerUrlError("has an escape that no host name has", f'parse "{url}": invalid URL escape "{escape}"')
