"""What is odd about a token, as findings: codes and texts are in ``docs/formats/discovery.md``."""

from __future__ import annotations

import bisect
from collections import defaultdict
from typing import TYPE_CHECKING

from etcdtool.converters._peer_urls import shown
from etcdtool.model.conversion import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from etcdtool.converters._registry import Record, Registration
    from etcdtool.model.conversion import ConversionContext, Node

__all__ = ["expired_findings", "overlap_findings", "rename_findings", "stray_findings", "token_findings"]

_SHOWN_MAX = 20
_LISTING_HINT = "A dump of /v2/keys leaves hidden keys out: give the dump of the token's _config too."
_PUT_SIZE_HINT = "Put the number of members at _config/size before a member uses the token."


def token_findings(
    record: Record, registrations: Sequence[Registration], size: int | None, context: ConversionContext
) -> Iterator[Finding]:
    """Yield findings about one token, as its registrations and size stand."""
    accepted = [registration for registration in registrations if not registration.problem]
    if record.size is None:
        yield _size_missing(record, context)
    elif size is None:
        yield _size_bad(record.size)
    yield from _value_findings(registrations)
    yield from _duplicate_findings(record, registrations)
    yield from expired_findings(record)
    yield from stray_findings(record.path, record.strays)
    if size is not None and accepted:
        yield from _count_findings(record, accepted, size)


def expired_findings(record: Record) -> Iterator[Finding]:
    """Yield a finding if registrations of this token have expired."""
    if record.expired:
        yield _warning(
            "discovery.registration-expired",
            record.path,
            f"{_counted(record.expired, 'registration')} expired: {_names(record.expired)}",
            "Such a member has to register again if it is to be one of the cluster.",
        )


def stray_findings(path: bytes, strays: Sequence[Node]) -> Iterator[Finding]:
    """Yield a finding if there are nodes under this path that have no place in a registry."""
    if strays:
        yield _warning(
            "discovery.unexpected-node",
            path,
            f"{_counted(strays, 'node')} that a registry has no place for: {_names(strays)}",
            "They are skipped: no v3 client reads them.",
        )


def rename_findings(record: Record, v3_token: bytes) -> Iterator[Finding]:
    """Yield a note if the token gets another name."""
    if v3_token != record.token:
        yield Finding(
            code="discovery.token-renamed",
            severity=Severity.NOTE,
            where=shown(record.path),
            detail=f"the token becomes {shown(v3_token)}",
        )


def overlap_findings(record: Record, v3_path: bytes, v3_paths: Sequence[bytes]) -> Iterator[Finding]:
    """Yield a finding if a v3 client of this token would read another token's members; the paths are sorted."""
    # the v3 client lists by the prefix "<token>/members", without a slash behind it
    prefix = v3_path + b"/members"
    position = bisect.bisect_left(v3_paths, prefix)
    if position < len(v3_paths) and v3_paths[position].startswith(prefix):
        yield _warning(
            "discovery.token-overlap",
            record.path,
            f"v3 clients of this token also count the members under {shown(v3_paths[position])}",
            "Give one of the two another name with --token OLD=NEW.",
        )


def _size_missing(record: Record, context: ConversionContext) -> Finding:
    size_path = record.path + b"/_config/size"
    detail, hint = "there is no _config/size, without which nobody can join", _LISTING_HINT
    if any(node.path == size_path for node in context.expired):
        detail, hint = "its _config/size has expired, without which nobody can join", _PUT_SIZE_HINT
    elif any(node.path == size_path for node in context.outside):
        detail, hint = "its _config/size is left out by --prefix, without which nobody can join", "Widen --prefix."
    return _warning("discovery.size-missing", record.path, detail, hint)


def _size_bad(size: Node) -> Finding:
    text = shown(size.value[:_SHOWN_MAX])
    zero = "; v2 clients took 0 for no limit at all" if size.value.strip(b"0") == b"" and size.value else ""
    return _warning(
        "discovery.size-bad",
        size.path,
        f"the size is {text!r}, and v3 clients want a decimal number above 0{zero}",
        "It is converted as it is; put a number there before a member uses the token.",
    )


def _value_findings(registrations: Iterable[Registration]) -> Iterator[Finding]:
    for registration in registrations:
        if registration.problem and not registration.v3_id:
            yield _warning(
                "discovery.value-bad",
                registration.node.path,
                registration.problem,
                "It is skipped: v3 clients would pass over it, or fail on it.",
            )


def _duplicate_findings(record: Record, registrations: Sequence[Registration]) -> Iterator[Finding]:
    names: defaultdict[str, list[str]] = defaultdict(list)
    numbers: defaultdict[int, list[str]] = defaultdict(list)
    for registration in registrations:
        number = _hexadecimal(registration.v2_id)
        if number is not None:
            numbers[number].append(registration.v2_id)
        if registration.problem:
            if registration.v3_id:
                yield _warning("discovery.duplicate-id", registration.node.path, registration.problem, "It is skipped.")
        else:
            names[registration.name].append(registration.v2_id)
    for number, ids in numbers.items():
        if len(ids) > 1:
            yield _warning("discovery.duplicate-id", record.path, f"{' and '.join(ids)} are one id, {number:x}")
    for name, ids in names.items():
        if len(ids) > 1:
            yield _warning(
                "discovery.duplicate-name",
                record.path,
                f"{', '.join(ids)} all register as {name!r}, so that the cluster comes out smaller than its size",
            )


def _count_findings(record: Record, accepted: Sequence[Registration], size: int) -> Iterator[Finding]:
    if len(accepted) > size:
        late = ", ".join(f"{registration.name} ({registration.v2_id})" for registration in accepted[size:])
        yield _warning(
            "discovery.over-full",
            record.path,
            f"{len(accepted)} members registered for a cluster of {size}; too late came {late}",
        )
    mapping = ", ".join(f"{entry.name} {entry.v2_id} -> {entry.v3_id}" for entry in accepted[:size])
    if len(accepted) >= size:
        code = "discovery.finished"
        detail = f"this cluster was formed, and its members run under their v2 ids: {mapping}"
        hint = "Leave them as they are; with an empty data dir and this token they would begin another cluster."
    else:
        code = "discovery.waiting"
        detail = f"{len(accepted)} of {size} members registered and get new ids: {mapping}"
        hint = "Start them again with --discovery-token and their old names and peer urls."
    yield Finding(code=code, severity=Severity.NOTE, where=shown(record.path), detail=detail, hint=hint)


def _warning(code: str, path: bytes, detail: str, hint: str = "") -> Finding:
    return Finding(code=code, severity=Severity.WARNING, where=shown(path), detail=detail, hint=hint)


def _hexadecimal(text: str) -> int | None:
    try:
        return int(text, 16) if text.isalnum() else None
    except ValueError:
        return None


def _counted(nodes: Sequence[Node], what: str) -> str:
    return f"{len(nodes)} {what}{'' if len(nodes) == 1 else 's'}"


def _names(nodes: Sequence[Node]) -> str:
    first = ", ".join(shown(node.path) for node in nodes[:_SHOWN_MAX])
    return f"{first} and {len(nodes) - _SHOWN_MAX} more" if len(nodes) > _SHOWN_MAX else first
