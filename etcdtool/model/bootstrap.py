"""The first members of a cluster, from the words that etcd and ``snapshot restore`` are given.

Checks and messages are those of ``ServerConfig.VerifyBootstrap`` (``server/config/config.go``) and
``pkg/netutil/netutil.go`` @ v3.7.1.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.errors import EtcdtoolError
from etcdtool.model.membership import Member, cluster_id, member_id
from etcdtool.model.peer_urls import PeerUrlError, parse_initial_cluster, parse_peer_urls

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Resolve = Callable[[str], str]

__all__ = ["Bootstrap", "bootstrap"]


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """A new cluster.

    Attributes:
        cluster_id: made of all member ids.
        local: this member.
        members: all of them, by id.
    """

    cluster_id: int
    local: Member
    members: tuple[Member, ...]


def bootstrap(*, name: str, initial_cluster: str, token: str, advertised: Sequence[str], resolve: Resolve) -> Bootstrap:
    """Return the cluster that the words describe.

    Args:
        name: of this member.
        initial_cluster: ``name=url,name=url``.
        token: the cluster token.
        advertised: this member's peer URLs.
        resolve: gives ``address:port`` for the ``host:port`` of a URL, and raises OSError where there is no such host.

    Raises:
        EtcdtoolError: they contradict each other, in upstream's words.
    """
    _refuse_no_text("--name", name)
    _refuse_no_text("--initial-cluster", initial_cluster)
    try:
        own = parse_peer_urls(advertised)
        urls = parse_initial_cluster(initial_cluster)
    except PeerUrlError as error:
        raise EtcdtoolError(error.problem) from None
    if name not in urls:
        raise EtcdtoolError(f'couldn\'t find local name "{name}" in the initial cluster configuration')
    _check_advertised(name, own, urls[name], resolve)
    if max(Counter(url for of_name in urls.values() for url in of_name).values()) > 1:
        raise EtcdtoolError(f"initial cluster {_cluster_text(urls)} has duplicate url")
    members = [Member(id=member_id(of_name, token), name=who, peer_urls=of_name) for who, of_name in urls.items()]
    members.sort(key=lambda member: member.id)
    local = next(member for member in members if member.name == name)
    return Bootstrap(cluster_id(member.id for member in members), local, tuple(members))


def _refuse_no_text(flag: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise EtcdtoolError(
            f"{flag} {value!a} is not in UTF-8, as names of members are stored", hint="Give another name."
        ) from None


def _check_advertised(name: str, own: tuple[str, ...], initial: tuple[str, ...], resolve: Resolve) -> None:
    difference = _difference(own, initial, resolve)
    if difference is None:
        return
    shown = ",".join(own)
    missing = [f"{name}={url}" for url in initial if url not in own]
    if missing:
        raise EtcdtoolError(
            f"--initial-cluster has {','.join(missing)} but missing from "
            f"--initial-advertise-peer-urls={shown} ({difference})"
        )
    missing = [url for url in own if url not in initial]
    as_cluster = _cluster_text({name: own})
    if missing:
        raise EtcdtoolError(
            f"--initial-advertise-peer-urls has {','.join(missing)} but missing from --initial-cluster={as_cluster}"
        )
    raise EtcdtoolError(f"failed to resolve {shown} to match --initial-cluster={as_cluster} ({difference})")


def _difference(own: tuple[str, ...], initial: tuple[str, ...], resolve: Resolve) -> str | None:
    """Say how two lists of URLs differ, once names are looked up; None where they mean the same."""
    if len(own) != len(initial):
        return f"len({_go_list(own)}) != len({_go_list(initial)})"
    if all(_normal(left) == _normal(right) for left, right in zip(own, initial, strict=True)):
        return None
    resolved: list[list[str]] = []
    for urls in (own, initial):
        resolved.append([])
        for url in urls:
            try:
                resolved[-1].append(_resolved(url, resolve))
            except OSError as error:
                return f'failed to resolve "{url}" ({error})'
    for left, right in zip(*map(sorted, resolved), strict=True):
        if _normal(left) != _normal(right):
            return f'resolved urls: "{left}" != "{right}"'
    return None


def _resolved(url: str, resolve: Resolve) -> str:
    scheme, _, host = url.partition("://")
    if scheme not in {"http", "https"} or host.rpartition(":")[0] == "localhost":
        return url
    return f"{scheme}://{resolve(host)}"


def _normal(url: str) -> str:
    """Return a URL with its IP address, if it has one, as Go prints it."""
    scheme, separator, place = url.partition("://")
    host, colon, port = place.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return url
    shown = f"[{address}]" if address.version == 6 else str(address)
    return f"{scheme}{separator}{shown}{colon}{port}"


def _cluster_text(urls: Mapping[str, Sequence[str]]) -> str:
    return ",".join(sorted(f"{name}={url}" for name, of_name in urls.items() for url in of_name))


def _go_list(texts: Sequence[str]) -> str:
    return "[" + " ".join(f'"{text}"' for text in texts) + "]"
