"""``etcdtool top``: what fills a database."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import command, write_out
from etcdtool.cli.fitting import hanging
from etcdtool.cli.printers import Table, show
from etcdtool.cli.progress import Advance, Progress
from etcdtool.cli.text import human_size, printable, printable_bytes, quoted
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etcdtool.operations.top import Top
    from etcdtool.operations.top_groups import Amounts, Group

__all__ = ["top_command"]

_BY = ("prefix", "key", "kind", "namespace", "lease", "size-class")
_SORTS = ("total", "live", "historic", "tombstones", "overhead", "keys", "revisions", "group")
_HEADERS = ("total", "share", "live", "historic", "deleted", "overhead", "keys", "revs", "")
_WIDTHS = (6, 6, 6, 8, 7, 8, 7, 7)


@dataclass(frozen=True, slots=True)
class _View:
    found: Top
    by: str

    def simple(self) -> Iterable[str]:
        found = self.found
        compacted = "never compacted" if found.compact_revision < 0 else f"compacted at {found.compact_revision}"
        yield f"{printable(found.name)}: {human_size(found.file_size)}"
        yield f"{found.kind}, revision {found.revision}, {compacted}"
        yield ""
        yield _row([*_HEADERS[:-1], self.by])
        for cells in self._rows():
            yield _row(cells)
        yield ""
        for part in found.parts:
            yield _row([human_size(part.size), self._share(part.size), printable(part.name)])
        residual = found.file_size - found.accounted
        yield _row(
            [human_size(found.file_size), "100 %", f"the file: {found.file_size} bytes, {residual} without a name"]
        )
        yield from self._names()
        yield from self._savings()

    def _rows(self) -> Iterable[list[str]]:
        found = self.found
        for group in found.groups:
            yield self._cells(group.amounts, _text(group))
        left = found.group_count - len(found.groups)
        if left:
            yield self._cells(found.rest, f"({left} more)")
        if found.outside is not None:
            yield self._cells(found.outside, "(other prefixes)")

    def _cells(self, amounts: Amounts, name: str) -> list[str]:
        sizes = (amounts.live, amounts.historic, amounts.tombstones, amounts.overhead)
        return [
            human_size(amounts.total),
            self._share(amounts.total),
            *map(human_size, sizes),
            str(amounts.keys),
            str(amounts.revisions),
            name,
        ]

    def _share(self, size: int) -> str:
        return f"{100 * size / self.found.file_size:.1f} %"

    def _names(self) -> Iterable[str]:
        found = self.found
        if found.large_values:
            yield ""
            yield "largest values"
        for value in found.large_values:
            old = "" if value.live else ", historic"
            revision = f"revision {value.main}{f'_{value.sub}' if value.sub else ''}{old}"
            yield hanging(f"{human_size(value.size):>7}  ", f"{printable_bytes(value.key)} ({revision})")
        if found.hot_keys:
            yield ""
            yield "keys with most revisions"
        for key in found.hot_keys:
            yield hanging(f"{key.revisions:>7}  ", f"{printable_bytes(key.key)} ({human_size(key.size)})")

    def _savings(self) -> Iterable[str]:
        saved = self.found.savings
        yield ""
        freed = human_size(saved.bytes_freed)
        yield f"compact at {saved.revision}: removes {saved.revisions_removed} revisions, frees {freed} in the file"
        yield f"defrag: {human_size(saved.size)} become {human_size(saved.size_defragmented)}"
        yield f"compact, then defrag: {human_size(saved.size)} become {human_size(saved.size_compacted)}"

    def table(self) -> Table:
        rows = [
            *self._rows(),
            *([human_size(part.size), self._share(part.size), *[""] * 6, part.name] for part in self.found.parts),
        ]
        return Table(headers=[*_HEADERS[:-1], self.by], rows=rows, left=frozenset({len(_WIDTHS)}))

    def fields(self) -> Iterable[tuple[str, str]]:
        found = self.found
        yield "FileSize", str(found.file_size)
        yield "Accounted", str(found.accounted)
        yield "PageSize", str(found.page_size)
        yield "DbSize", str(found.savings.size)
        yield "DbSizeInUse", str(found.size_in_use)
        yield "Revision", str(found.revision)
        yield "CompactRevision", str(found.compact_revision)
        yield "Groups", str(found.group_count)
        amounts = [(_quoted_label(group), group.amounts) for group in found.groups]
        amounts += [(quoted("(the rest)"), found.rest)] if found.group_count > len(found.groups) else []
        amounts += [(quoted("(other prefixes)"), found.outside)] if found.outside is not None else []
        for name, own in amounts:
            yield "", ""
            yield "Group", name
            for title, number in _amounts_json(own).items():
                yield title[0].upper() + title[1:], str(number)
        yield "", ""
        for part in found.parts:
            yield "Part", f"{part.size} {quoted(part.name)}"
        for value in found.large_values:
            yield "LargeValue", f"{value.size} {value.main} {value.sub} {_quoted_bytes(value.key)}"
        for key in found.hot_keys:
            yield "HotKey", f"{key.revisions} {key.size} {_quoted_bytes(key.key)}"
        for title, number in _savings_json(found).items():
            yield title[0].upper() + title[1:], str(number)

    def as_json(self) -> object:
        found = self.found
        return {
            "source": printable(found.name),
            "kind": found.kind,
            "fileSize": found.file_size,
            "accounted": found.accounted,
            "residual": found.file_size - found.accounted,
            "pageSize": found.page_size,
            "dbSize": found.savings.size,
            "dbSizeInUse": found.size_in_use,
            "revision": found.revision,
            "compactRevision": found.compact_revision,
            "by": self.by,
            "groups": [{**_label_json(group), **_amounts_json(group.amounts)} for group in found.groups],
            "groupCount": found.group_count,
            "rest": _amounts_json(found.rest),
            "outside": None if found.outside is None else _amounts_json(found.outside),
            "parts": [{"name": part.name, "size": part.size} for part in found.parts],
            "largeValues": [
                {
                    **_key_json("key", value.key),
                    "revision": value.main,
                    "sub": value.sub,
                    "size": value.size,
                    "live": value.live,
                }
                for value in found.large_values
            ],
            "hotKeys": [
                {**_key_json("key", key.key), "revisions": key.revisions, "size": key.size} for key in found.hot_keys
            ],
            "savings": _savings_json(found),
        }


def _key_json(name: str, key: bytes) -> dict[str, Any]:
    from etcdtool.cli._v2_nodes import text_or_base64  # noqa: PLC0415  only JSON needs it

    return text_or_base64(name, key)


def _label_json(group: Group) -> dict[str, Any]:
    return {"group": None, "what": group.label.what} if group.label.what else _key_json("group", group.label.name)


def _amounts_json(amounts: Amounts) -> dict[str, int]:
    return {
        "total": amounts.total,
        "live": amounts.live,
        "historic": amounts.historic,
        "tombstones": amounts.tombstones,
        "overhead": amounts.overhead,
        "keys": amounts.keys,
        "liveKeys": amounts.live_keys,
        "revisions": amounts.revisions,
    }


def _savings_json(found: Top) -> dict[str, int]:
    saved = found.savings
    return {
        "compactAt": saved.revision,
        "revisionsRemoved": saved.revisions_removed,
        "bytesFreed": saved.bytes_freed,
        "sizeDefragmented": saved.size_defragmented,
        "sizeCompacted": saved.size_compacted,
    }


def _text(group: Group) -> str:
    label = group.label
    return f"({label.what})" if label.what else printable_bytes(label.name) or "(no prefix)"


def _quoted_label(group: Group) -> str:
    return quoted(f"({group.label.what})") if group.label.what else _quoted_bytes(group.label.name)


def _quoted_bytes(key: bytes) -> str:
    text = printable_bytes(key).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _row(cells: Iterable[str]) -> str:
    *numbers, name = cells
    return hanging("".join(f"{cell:>{width}} " for cell, width in zip(numbers, _WIDTHS, strict=False)), name)


@command(
    "top",
    short_help="Say what fills a database, by prefix, key, kind, namespace, lease or size.",
    examples=[
        "etcdtool top snapshot.db",
        "etcdtool top /var/lib/etcd --by kind",
        "etcdtool top snapshot.db --by key --prefix /registry/events/ --limit 5",
        "etcdtool top snapshot.db --depth 3 --sort historic -w json",
    ],
)
@click.argument("source", metavar="SOURCE", type=click.Path(path_type=Path))
@click.option(
    "--by",
    type=click.Choice(_BY),
    default="prefix",
    show_default=True,
    help="What makes a group. kind and namespace are told from Kubernetes' layout of keys; "
    "by lease and by size-class (of the value), revisions are grouped, not keys.",
)
@click.option(
    "--depth",
    type=click.IntRange(0, 1000),
    default=2,
    show_default=True,
    metavar="N",
    help="How many parts between slashes a prefix has.",
)
@click.option("--prefix", metavar="PREFIX", help="Look at keys that begin so; the others are told as one group.")
@click.option(
    "--limit", type=click.IntRange(0), default=20, show_default=True, metavar="N", help="Name N groups; 0: all."
)
@click.option(
    "--sort",
    type=click.Choice(_SORTS),
    default="total",
    show_default=True,
    help="What stands first: the most bytes, keys or revisions; or by the group's name.",
)
@click.option(
    "--largest",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    metavar="N",
    help="Name the N largest values, and the N keys with most revisions.",
)
@click.option(
    "--k8s-prefix",
    "kubernetes_prefix",
    metavar="PREFIX",
    help="What the API server files its objects under. Default: /registry, /kubernetes.io or /openshift.io.",
)
def top_command(
    source: Path,
    *,
    by: str,
    depth: int,
    prefix: str | None,
    limit: int,
    sort: str,
    largest: int,
    kubernetes_prefix: str | None,
) -> None:
    """Say what fills the database in SOURCE: a snapshot, a db file, a data dir, also compressed.

    Every byte of the file is accounted for. For each group of keys: the values that keys have now (live), older ones
    (historic), deletions, and what pages take beside them (overhead). What is no group's follows by name. The last
    lines say what etcdctl compaction at the newest revision, and etcdutl defrag, would win.
    """
    form = write_out()
    with open_database(source, whole=True) as database, Progress("top") as progress:
        from etcdtool.model.key_groups import GroupBy, KeyRule  # noqa: PLC0415  the file is mapped meanwhile
        from etcdtool.model.kubernetes_keys import ETCD_PREFIXES  # noqa: PLC0415  likewise
        from etcdtool.operations.top import TopOptions, top  # noqa: PLC0415  likewise

        prefixes = ETCD_PREFIXES if kubernetes_prefix is None else (os.fsencode(kubernetes_prefix.rstrip("/")),)
        rule = KeyRule(by=GroupBy(by), depth=depth, kubernetes_prefixes=prefixes)
        options = TopOptions(rule=rule, prefix=os.fsencode(prefix or ""), sort=sort, limit=limit, largest=largest)
        found = top(database, options, advance=Advance(progress, database.size))
    show(_View(found, by), form)
