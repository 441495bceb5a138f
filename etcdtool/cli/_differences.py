"""What two databases hold otherwise, in every form; what is said of a key that differs stands here and nowhere else."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etcdtool.cli._kubernetes import changed_lines
from etcdtool.cli._v2_nodes import text_or_base64
from etcdtool.cli.fitting import hanging
from etcdtool.cli.printers import Table, WriteOut, draw, write_lines
from etcdtool.cli.text import human_size, json_text, printable, printable_bytes, quoted
from etcdtool.model.key_differences import KeyChange

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from etcdtool.cli._kubernetes import Kubernetes
    from etcdtool.model.key_differences import KeyDifference, KeySide
    from etcdtool.operations.diff import Diff, Side
    from etcdtool.operations.diff_cluster import ClusterDifference

__all__ = ["DiffView"]

_SIGNS = {
    KeyChange.ADDED: "+",
    KeyChange.REMOVED: "-",
    KeyChange.CHANGED: "~",
    KeyChange.LEASED: "@",
    KeyChange.TOUCHED: "=",
}
_WORDS = {
    KeyChange.ADDED: "added",
    KeyChange.REMOVED: "removed",
    KeyChange.CHANGED: "changed",
    KeyChange.LEASED: "with another lease",
    KeyChange.TOUCHED: "touched",
}


_WITH_VALUES = frozenset({KeyChange.ADDED, KeyChange.REMOVED, KeyChange.CHANGED})


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffView:
    """What was found.

    Attributes:
        found: the differences.
        summary: whether to count alone.
        values: whether to show values.
        objects: reads them as objects of Kubernetes; None: they are shown as they are.
    """

    found: Diff
    summary: bool
    values: bool
    objects: Kubernetes | None = None

    def write(self, form: WriteOut) -> None:
        """Print it on stdout as it is read from the files, but for a table, which needs all of it."""
        match form:
            case WriteOut.SIMPLE:
                write_lines(self._lines())
            case WriteOut.TABLE:
                write_lines([draw(self._table())])
            case WriteOut.FIELDS:
                write_lines(f'"{name}" : {value}' if name else "" for name, value in self._fields())
            case WriteOut.JSON:
                self._write_json()

    def _keys(self) -> Iterator[KeyDifference]:
        return self.found.keys.differences(touched=self.found.metadata)

    def _lines(self) -> Iterator[str]:
        found = self.found
        for sign, side in (("---", found.before), ("+++", found.after)):
            yield f"{sign} {printable(side.name)}"
            yield f"    {_side(side)}"
        if not self.summary:
            for difference in self._keys():
                yield from _key_lines(difference, values=self.values, objects=self.objects)
            for one in found.beside_keys():
                yield from _cluster_lines(one)
        yield from self._sums()
        yield "equal" if found.equal else "different"

    def _sums(self) -> Iterator[str]:
        found = self.found
        counts = [f"{number} {_WORDS[change]}" for change, number in found.keys.counts.items() if number]
        yield f"keys: {', '.join([*counts, f'{found.keys.identical} identical'])}"
        if found.sections:
            differing = [f"{number} in {name}" for name, number in found.section_counts.items() if number]
            note = " (as the files end: not counted)" if differing and not found.sections_count else ""
            yield f"beside keys: {', '.join(differing) or f'nothing in {_list(found.sections)}'}{note}"
        for one in found.own:
            yield printable(f"own: {one.name} {_or_absent(one.before)} -> {_or_absent(one.after)} (not counted)")
        if found.leases is not None and found.leases.remaining:
            yield f"own: what was left of {found.leases.remaining} leases (not counted)"

    def _table(self) -> Table:
        rows = []
        if not self.summary:
            for difference in self._keys():
                cells = [_brief(side) for side in (difference.before, difference.after)]
                rows.append([difference.change.value, printable_bytes(difference.key), *cells])
            rows += [
                [_change(one), printable(one.name), _or_nothing(one.before), _or_nothing(one.after)]
                for one in self.found.beside_keys()
            ]
        rows += [[str(number), f"keys {_WORDS[change]}", "", ""] for change, number in self.found.keys.counts.items()]
        rows += [[str(number), name, "", ""] for name, number in self.found.section_counts.items()]
        return Table(headers=["change", "what", "before", "after"], rows=rows, left=frozenset({0, 1, 2, 3}))

    def _fields(self) -> Iterator[tuple[str, str]]:
        found = self.found
        yield "Equal", str(found.equal).lower()
        for side in (found.before, found.after):
            yield "", ""
            yield "Source", quoted(side.name)
            yield "Revision", str(side.revision)
            yield "CompactRevision", str(side.compact_revision)
            yield "ComparedAt", str(side.compared_at)
            yield "Keys", str(side.keys)
        yield "", ""
        for change, number in found.keys.counts.items():
            yield change.value.capitalize(), str(number)
        yield "Identical", str(found.keys.identical)
        for name, number in found.section_counts.items():
            yield name.capitalize(), str(number)
        for own in found.own:
            yield "Own", f"{quoted(own.name)} {quoted(_or_absent(own.before))} {quoted(_or_absent(own.after))}"
        if not self.summary:
            for difference in self._keys():
                yield from _key_fields(difference, values=self.values, objects=self.objects)
            for one in found.beside_keys():
                yield from _cluster_fields(one)

    def _write_json(self) -> None:
        found = self.found
        head = {
            "equal": found.equal,
            "before": _side_of_file(found.before),
            "after": _side_of_file(found.after),
            "keys": {
                **{change.value: number for change, number in found.keys.counts.items()},
                "identical": found.keys.identical,
            },
            "sections": found.section_counts,
            "sectionsCount": found.sections_count,
            "own": [
                {"name": printable(one.name), "before": _clean(one.before), "after": _clean(one.after)}
                for one in found.own
            ],
            "leasesWithOtherTimeLeft": found.leases.remaining if found.leases is not None else 0,
        }
        write = sys.stdout.write
        write(json_text(head)[:-1])
        if not self.summary:
            write(',"changes":[')
            for number, record in enumerate(self._records()):
                write(f"{',' if number else ''}{json_text(record)}")
            write("]")
        write("}\n")

    def _records(self) -> Iterator[dict[str, Any]]:
        for difference in self._keys():
            yield _key_json(difference, values=self.values, objects=self.objects)
        for one in self.found.beside_keys():
            yield {
                "section": one.section,
                "change": _change(one),
                "name": printable(one.name),
                "before": _clean(one.before),
                "after": _clean(one.after),
            }


def _key_lines(difference: KeyDifference, *, values: bool, objects: Kubernetes | None) -> Iterator[str]:
    """Say how a key differs, in one line; its values below where they are asked for."""
    before, after = difference.before, difference.after
    if before is None or after is None:
        side = before or after
        assert side is not None
        lease = f", lease {_lease(side)}" if side.lease else ""
        told = f"{human_size(len(side.value))}, revision {side.mod_revision}{lease}"
    else:
        told = ", ".join(_turns(difference.change, before, after))
    yield hanging(f"{_SIGNS[difference.change]} ", f"{printable_bytes(difference.key)} ({told})")
    if objects is not None and difference.change in _WITH_VALUES:
        yield from (f"    {line}" for line in _object_lines(difference, objects))
    elif values and difference.change is not KeyChange.TOUCHED:
        for sign, side in (("-", before), ("+", after)):
            if side is not None:
                yield f"    {sign} {_quoted_bytes(bytes(side.value))}"


def _object_lines(difference: KeyDifference, objects: Kubernetes) -> list[str]:
    before, after = (
        objects.lines(difference.key, None if side is None else bytes(side.value))
        for side in (difference.before, difference.after)
    )
    if before and after:
        return changed_lines(before, after)
    return [f"- {line}" for line in before] + [f"+ {line}" for line in after]


def _turns(change: KeyChange, before: KeySide, after: KeySide) -> Iterator[str]:
    if change is KeyChange.CHANGED:
        yield f"{human_size(len(before.value))} -> {human_size(len(after.value))}"
    if before.mod_revision != after.mod_revision:
        yield f"revision {before.mod_revision} -> {after.mod_revision}"
    if before.create_revision != after.create_revision:
        yield f"created {before.create_revision} -> {after.create_revision}"
    if before.version != after.version and change is KeyChange.TOUCHED:
        yield f"version {before.version} -> {after.version}"
    if before.lease != after.lease:
        yield f"lease {_lease(before)} -> {_lease(after)}"


def _key_fields(difference: KeyDifference, *, values: bool, objects: Kubernetes | None) -> Iterator[tuple[str, str]]:
    yield "", ""
    yield "Change", difference.change.value
    yield "Key", _quoted_bytes(difference.key)
    for name, side in (("Before", difference.before), ("After", difference.after)):
        if side is None:
            continue
        for title, number in _side_json(side, values=False).items():
            yield f"{name}{title[0].upper()}{title[1:]}", str(number)
        if objects is not None:
            record = objects.record(difference.key, bytes(side.value))
            yield f"{name}Object", quoted(json_text(record["object"]))
        elif values:
            yield f"{name}Value", _quoted_bytes(bytes(side.value))


def _cluster_fields(one: ClusterDifference) -> Iterator[tuple[str, str]]:
    yield "", ""
    yield "Change", _change(one)
    yield "What", quoted(one.name)
    yield "Before", quoted(_or_nothing(one.before))
    yield "After", quoted(_or_nothing(one.after))


def _key_json(difference: KeyDifference, *, values: bool, objects: Kubernetes | None) -> dict[str, Any]:
    before, after = difference.before, difference.after
    return {
        "section": "keys",
        "change": difference.change.value,
        **text_or_base64("key", difference.key),
        "before": None if before is None else _shown_side(difference.key, before, values=values, objects=objects),
        "after": None if after is None else _shown_side(difference.key, after, values=values, objects=objects),
    }


def _shown_side(key: bytes, side: KeySide, *, values: bool, objects: Kubernetes | None) -> dict[str, Any]:
    if objects is None:
        return _side_json(side, values=values)
    return _side_json(side, values=False) | objects.record(key, bytes(side.value))


def _side_json(side: KeySide, *, values: bool) -> dict[str, Any]:
    return {
        "createRevision": side.create_revision,
        "modRevision": side.mod_revision,
        "version": side.version,
        "lease": side.lease,
        "size": len(side.value),
        **(text_or_base64("value", bytes(side.value)) if values else {}),
    }


def _brief(side: KeySide | None) -> str:
    return "" if side is None else f"{human_size(len(side.value))}, revision {side.mod_revision}"


def _lease(side: KeySide) -> str:
    return f"{side.lease & 0xFFFFFFFFFFFFFFFF:x}" if side.lease else "none"


def _side(side: Side) -> str:
    at = "" if side.compared_at == side.revision else f" at revision {side.compared_at}"
    return printable(f"{side.kind}, revision {side.revision}, {side.keys} keys{at}")


def _side_of_file(side: Side) -> dict[str, Any]:
    return {
        "source": printable(side.name),
        "kind": side.kind,
        "revision": side.revision,
        "compactRevision": side.compact_revision,
        "comparedAt": side.compared_at,
        "keys": side.keys,
    }


def _change(one: ClusterDifference) -> str:
    if one.before is None:
        return "added"
    return "removed" if one.after is None else "changed"


def _cluster_lines(one: ClusterDifference) -> Iterator[str]:
    """Say what differs beside keys; of leases, which may be many, in one line."""
    sign = {"added": "+", "removed": "-", "changed": "~"}[_change(one)]
    if one.section == "leases":
        yield hanging(f"{sign} ", f"{one.name} ({' -> '.join(filter(None, (one.before, one.after)))})")
        return
    yield hanging(f"{sign} ", printable(one.name))
    for side, text in (("-", one.before), ("+", one.after)):
        if text:
            yield hanging(f"    {side} ", printable(text))


def _list(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def _clean(text: str | None) -> str | None:
    return None if text is None else printable(text)


def _or_absent(text: str | None) -> str:
    return "absent" if text is None else text


def _or_nothing(text: str | None) -> str:
    return "" if text is None else printable(text)


def _quoted_bytes(data: bytes) -> str:
    text = printable_bytes(data).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
