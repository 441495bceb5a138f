"""Where members part, in every form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etcdtool.cli._v2_nodes import text_or_base64
from etcdtool.cli.printers import Table
from etcdtool.cli.text import printable, printable_bytes, quoted
from etcdtool.operations.hashkv_compare import Change, Comparison, Difference

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ComparisonView"]

_GROUPS_SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """What comparing files found."""

    found: Comparison

    def simple(self) -> Iterable[str]:
        """The verdict, a line a file, then where each one parts from the others."""
        found = self.found
        yield f"{'equal' if found.equal else 'different'} {_range(found)}"
        for place, member in enumerate(found.members):
            own = f"revision {member.current_revision}, compacted at {member.compact_revision}"
            yield f"{printable(member.name)}: hash {member.hash}, {own}{self._verdict(place)}"
        for difference in found.differences:
            yield from self._lines(difference)

    def table(self) -> Table:
        """One row a file."""
        rows = []
        for place, member in enumerate(self.found.members):
            difference = self._difference_of(place)
            rows.append(
                [
                    printable(member.name),
                    str(member.hash),
                    str(member.current_revision),
                    str(member.compact_revision),
                    str(difference.first_revision) if difference else "",
                    str(difference.revisions) if difference else "0",
                ]
            )
        headers = ["file", "hash", "revision", "compact revision", "differs from", "revisions"]
        return Table(headers=headers, rows=rows, left=frozenset({0}))

    def fields(self) -> Iterable[tuple[str, str]]:
        """The verdict, each file, each revision named."""
        found = self.found
        yield "Equal", str(found.equal).lower()
        yield "From revision", str(found.from_revision)
        yield "To revision", str(found.to_revision)
        yield "Compact revision", str(found.compact_revision)
        for place, member in enumerate(found.members):
            yield "", ""
            yield "File", quoted(member.name)
            yield "Hash", str(member.hash)
            yield "Revision", str(member.current_revision)
            yield "Compact revision", str(member.compact_revision)
            difference = self._difference_of(place)
            yield "Differing revisions", str(difference.revisions if difference else 0)
            for change in difference.keys if difference else ():
                text = printable_bytes(change.key).replace("\\", "\\\\").replace('"', '\\"')
                yield "Differs", f'{change.main} {change.sub} {change.change.value} "{text}"'

    def as_json(self) -> object:
        """``{equal, fromRevision, toRevision, compactRevision, reference, files, differences}``."""
        found = self.found
        return {
            "equal": found.equal,
            "fromRevision": found.from_revision,
            "toRevision": found.to_revision,
            "compactRevision": found.compact_revision,
            "reference": printable(found.members[found.reference].name),
            "files": [
                {
                    "file": printable(member.name),
                    "hash": member.hash,
                    "currentRevision": member.current_revision,
                    "compactRevision": member.compact_revision,
                    "equal": self._difference_of(place) is None,
                }
                for place, member in enumerate(found.members)
            ],
            "differences": [self._difference_json(difference) for difference in found.differences],
        }

    def _difference_json(self, difference: Difference) -> dict[str, Any]:
        return {
            "file": printable(self.found.members[difference.member].name),
            "firstRevision": difference.first_revision,
            "revisions": difference.revisions,
            **{change.value: difference.changes.get(change, 0) for change in Change},
            "keys": [
                {
                    **text_or_base64("key", change.key),
                    "revision": change.main,
                    "sub": change.sub,
                    "change": change.change.value,
                }
                for change in difference.keys
            ],
            "groups": [
                {
                    **text_or_base64("prefix", group.prefix),
                    "keys": group.keys,
                    "revisions": group.revisions,
                    "firstRevision": group.first_revision,
                }
                for group in difference.groups
            ],
        }

    def _difference_of(self, place: int) -> Difference | None:
        return next((one for one in self.found.differences if one.member == place), None)

    def _verdict(self, place: int) -> str:
        if self.found.equal:
            return ""
        if place == self.found.reference:
            return ", reference"
        return ", differs" if self._difference_of(place) else ", agrees"

    def _lines(self, difference: Difference) -> Iterable[str]:
        found = self.found
        name, reference = (printable(found.members[place].name) for place in (difference.member, difference.reference))
        counts = ", ".join(f"{difference.changes[one]} {one.value}" for one in Change if one in difference.changes)
        yield ""
        yield f"{name} differs from {reference} from revision {difference.first_revision} on: {counts}"
        for group in difference.groups[:_GROUPS_SHOWN_MAX]:
            prefix = printable_bytes(group.prefix) or "(no prefix)"
            yield (
                f"  {prefix}: {_count(group.keys, 'key')}, {_count(group.revisions, 'revision')}, "
                f"first {group.first_revision}"
            )
        if len(difference.groups) > _GROUPS_SHOWN_MAX:
            yield f"  and {len(difference.groups) - _GROUPS_SHOWN_MAX} groups more"
        for change in difference.keys:
            yield f"  {change.main}_{change.sub} {change.change.value} {printable_bytes(change.key)}"
        if difference.revisions > len(difference.keys):
            yield f"  and {difference.revisions - len(difference.keys)} revisions more"


def _range(found: Comparison) -> str:
    compacted = f", as if compacted at {found.compact_revision}" if found.compact_revision > 0 else ""
    return f"from revision {found.from_revision} to {found.to_revision}{compacted}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
