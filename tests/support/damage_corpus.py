"""Draw faults, ask every tool and ours, and count: by type and field, sealed and unsealed.

As a script it runs the whole corpus and writes the counts, and the table made of them::

    python tests/support/damage_corpus.py --run --seed 0     (counts to docs/reference/damage.json; long)
    python tests/support/damage_corpus.py > docs/reference/damage.md
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not __package__:  # started as a script: the folder of the package is not on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import programs
from support.damage import CATALOGUE, SAMPLES, draw
from support.damage_logs import LOG_FIELDS, WITHOUT_A_SIGN, is_found
from support.verdicts import SECONDS_MAX, TOOLS, judge

from etcdtool.checks.container import NO_TRAILER
from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.findings import Severity
from etcdtool.operations.verify import verify
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from support.damage import Fault

__all__ = ["OURS_SECONDS_MAX", "SUMMARY", "UNDETECTABLE", "Judged", "corpus", "count", "judged", "ours_of", "render"]

OURS_SECONDS_MAX = 5.0
SUMMARY = Path(__file__).resolve().parents[2] / "docs" / "reference" / "damage.json"
_SEALED_EACH, _UNSEALED_EACH = 100, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A fault and what was said of it.

    Attributes:
        fault: the damaged file.
        ours: ``error``, ``warning`` or ``note``, the gravest finding that names a place; ``good`` where there is none.
            The only note that counts is that of a missing trailer: a database needs none.
        codes: of these findings.
        seconds: what ours took.
        others: verdict by tool.
    """

    fault: Fault
    ours: str
    codes: tuple[str, ...]
    seconds: float
    others: Mapping[str, str]

    @property
    def missed(self) -> bool:
        """Whether ours passes over it: sealed, no error where a tool finds the file bad; unsealed, nothing at all."""
        if not self.fault.sealed:
            return self.ours == "good"
        return self.ours != "error" and any(verdict != "good" for verdict in self.others.values())

    def as_json(self) -> dict[str, Any]:
        """One line of the corpus."""
        fault = self.fault
        return {
            "sample": fault.sample,
            "type": fault.page_type,
            "field": fault.field,
            "what": fault.what,
            "sealed": fault.sealed,
            "sha256": fault.sha256,
            "ours": self.ours,
            "codes": self.codes,
            **self.others,
        }


def corpus(seed: int, page_type: str, *, sealed: int, unsealed: int) -> Iterator[Fault]:
    """Draw so many faults for each field of a page type; those of a trailer can't be sealed."""
    for name in CATALOGUE[page_type]:
        if page_type == "trailer":
            yield from (draw(seed, page_type, name, number, sealed=False) for number in range(sealed))
            continue
        yield from (draw(seed, page_type, name, number, sealed=True) for number in range(sealed))
        yield from (draw(seed, page_type, name, number, sealed=False) for number in range(-unsealed, 0))


def judged(fault: Fault) -> Judged:
    """Ask everybody."""
    ours, codes, seconds = ours_of(fault)
    return Judged(fault=fault, ours=ours, codes=codes, seconds=seconds, others=judge(fault))


def ours_of(fault: Fault) -> tuple[str, tuple[str, ...], float]:
    with tempfile.TemporaryDirectory(prefix="etcdtool-damage-") as folder:
        path = Path(folder) / "damaged.db"
        path.write_bytes(fault.data)
        started = time.perf_counter()
        try:
            with open_database(path) as database:
                findings = [
                    finding
                    for finding in verify(database).findings
                    if finding.severity is not Severity.NOTE or finding.code == NO_TRAILER.code
                ]
        except EtcdtoolError as error:
            has_place = not isinstance(error, FormatError) or error.offset is not None or error.where
            return ("error" if has_place else "good"), (type(error).__name__,), time.perf_counter() - started
        seconds = time.perf_counter() - started
    placed = {finding.severity.value for finding in findings if finding.offset is not None or finding.where != "file"}
    worst = next((severity for severity in ("error", "warning", "note") if severity in placed), "good")
    return worst, tuple(sorted({finding.code for finding in findings})), seconds


def count(results: Iterable[Judged]) -> dict[str, dict[str, dict[str, int]]]:
    """Count what was found: ``{"type / field": {"sealed": {"faults", "status", …}, "unsealed": …}}``."""
    table: dict[str, dict[str, dict[str, int]]] = {}
    for result in results:
        row = table.setdefault(f"{result.fault.page_type} / {result.fault.field}", {})
        cell = row.setdefault(
            "sealed" if result.fault.sealed else "unsealed",
            dict.fromkeys(("faults", *TOOLS, "hangs", "any", "ours", "errors"), 0),
        )
        cell["faults"] += 1
        for tool, verdict in result.others.items():
            cell[tool] += verdict != "good"
        cell["hangs"] += "hang" in result.others.values()
        cell["any"] += any(verdict != "good" for verdict in result.others.values())
        cell["ours"] += result.ours != "good"
        cell["errors"] += result.ours == "error"
    return table


def run(seed: int, *, sealed: int, unsealed: int) -> dict[str, Any]:
    """Judge the whole corpus, keep a line for each fault in the cache folder, and give the summary."""
    path = programs.cache_dir() / "damage" / f"corpus-{seed}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    results = []
    with path.open("w", encoding="utf-8") as lines:
        for page_type in CATALOGUE:
            for fault in corpus(seed, page_type, sealed=sealed, unsealed=unsealed):
                result = judged(fault)
                lines.write(f"{json.dumps(result.as_json())}\n")
                results.append(_light(result))
                if result.missed:
                    print(f"missed: {fault} {dict(result.others)}", file=sys.stderr)
    return {
        "seed": seed,
        "samples": list(SAMPLES),
        "tools": {name: programs.RELEASES[name] for name in ("3.7", "bbolt")},
        "faults": len(results),
        "fields": count(results),
        "logs": {
            f"{kind} / {name}": {
                "faults": sealed,
                "ours": sum(is_found(seed, kind, name, number) for number in range(sealed)),
            }
            for kind, name in LOG_FIELDS
        },
    }


def _light(result: Judged) -> Judged:
    """Let go of the bytes."""
    fault = result.fault
    light = type(fault)(
        sample=fault.sample,
        page_type=fault.page_type,
        field=fault.field,
        what=fault.what,
        sealed=fault.sealed,
        data=b"",
    )
    return Judged(fault=light, ours=result.ours, codes=result.codes, seconds=result.seconds, others=result.others)


_HEAD = """\
# What finds which damage

{faults} faults, drawn from seed {seed} in {samples} real databases: bits flipped, numbers changed, bytes and pages
zeroed, swapped and overwritten, files cut.
Each line is a field of a type of page, and how many percent of the faults in it were found.

- **status** is `etcdutl snapshot status` {etcdutl}, **check** `bbolt check` {bbolt}, **restore**
  `etcdutl snapshot restore` {etcdutl}: a message, a panic, or no answer within {seconds} seconds.
- **verify** is `etcdtool verify`: an error or a warning that names a page, an offset or a key.
- **sealed** means that the sha256 trailer was made to fit after the damage, so that only the content can tell.

`verify` makes an error of every sealed fault that one of the others finds.
Unsealed it finds every fault, since the trailer tells (a lost trailer is a note: a database needs none).

<!-- Written by tests/support/damage_corpus.py from damage.json; make damage-table does both. -->

## Sealed

"""
UNDETECTABLE = {
    "meta / count": "nobody reads it",
    "meta / overflow": "nobody reads it",
    "meta in use, fitted / meta flags": "nobody reads it",
    "meta in use, fitted / sequence": "etcd does not use it",
    "meta in use, fitted / txid": "any number is as good as another",
    "meta in use, fitted / root": "an older root page may be as good",
    "meta in use, fitted / high-water mark": "pages at the end may be free",
    "branch / overflow": "free pages are claimed, and nothing is lost",
    "branch / key": "a key still between its neighbours leads to the same pairs",
    "branch / range zeroed": "zeros where nothing stands",
    "stale meta / older in use": "where the older tree is whole, it is a good database of an earlier moment",
    "root leaf / bucket sequence": "etcd does not use it",
    "root leaf / unused end": "nothing stands there",
    "root leaf / vsize": "the last bucket may seem larger",
    "root leaf / range zeroed": "zeros where nothing stands, or inside a value",
    "inline page / key": "the name of a setting or user may be another one",
    "inline page / value": "one value is as good as another",
    "key leaf / overflow": "free pages are claimed, and nothing is lost",
    "key leaf / vsize": "the last pair of a page may lose its last field",
    "key leaf / key": "below the compaction a change of a transaction may have any number",
    "key leaf / unused end": "nothing stands there",
    "key leaf / range zeroed": "zeros where nothing stands, or inside a value",
    "key record / user key": "a key below the compaction, or with one revision, may be any",
    "key record / numbers": "versions below the compaction, where the ones before are gone",
    "key record / tag and size of the value": "a value's last size byte or its first byte",
    "key record / value": "one value is as good as another",
    "key record / lease": "any lease id is as good as another",
    "overflow page / any byte": "inside a large value",
    "free page / any byte": "nothing stands there",
    "file / range zeroed": "zeros where nothing stands, or inside a value",
}


def render(summary: Mapping[str, Any]) -> str:
    """Give the page."""
    fields = summary["fields"]
    head = _HEAD.format(
        faults=f"{summary['faults']:,}",
        seed=summary["seed"],
        samples=len(summary["samples"]),
        etcdutl=summary["tools"]["3.7"],
        bbolt=summary["tools"]["bbolt"],
        seconds=f"{SECONDS_MAX:g}",
    )
    columns = ("page, field", "faults", *TOOLS, "verify", "why not all")
    lines = [f"| {' | '.join(columns)} |", f"|---|{'---:|' * (len(columns) - 2)}---|"]
    for name, row in fields.items():
        if cell := row.get("sealed"):
            found = [_percent(cell[column], cell["faults"]) for column in (*TOOLS, "ours")]
            why = UNDETECTABLE.get(name, "") if cell["ours"] < cell["faults"] else ""
            lines.append(f"| {name} | {cell['faults']} | {' | '.join(found)} | {why} |")
    return f"{head}{chr(10).join(lines)}\n\n{_unsealed(fields)}\n{_logs(summary['logs'])}"


def _unsealed(fields: Mapping[str, Any]) -> str:
    cells = [row["unsealed"] for name, row in fields.items() if "unsealed" in row]
    totals = {column: sum(cell[column] for cell in cells) for column in ("faults", *TOOLS, "ours")}
    found = "| ".join(f"{_percent(totals[column], totals['faults'])} " for column in (*TOOLS, "ours"))
    return (
        "## Unsealed, and faults of the trailer\n\n"
        f"| faults | {' | '.join((*TOOLS, 'verify'))} |\n|---:|{'---:|' * (len(TOOLS) + 1)}\n"
        f"| {totals['faults']} | {found}|\n"
    )


def _logs(fields: Mapping[str, Mapping[str, int]]) -> str:
    lines = [
        "## Logs and .snap files",
        "",
        "A data dir's log and `.snap` files carry a checksum in each record; it is left as it was.",
        "",
        "| file, field | faults | found | why not all |",
        "|---|---:|---:|---|",
    ]
    for name, cell in fields.items():
        kind, _, field = name.partition(" / ")
        why = WITHOUT_A_SIGN.get((kind, field), "") if cell["ours"] < cell["faults"] else ""
        lines.append(f"| {name} | {cell['faults']} | {_percent(cell['ours'], cell['faults'])} | {why} |")
    return "\n".join(lines) + "\n"


def _percent(part: int, whole: int) -> str:
    # never rounded up to all, nor down to none
    share = 100 * part / whole
    return "100" if part == whole else "0" if part == 0 else f"{min(max(share, 1), 99):.0f}"


def main(words: list[str]) -> int:
    """Run the corpus, or print the page."""
    parser = argparse.ArgumentParser(description="What each tool finds of drawn damage.")
    parser.add_argument("--run", action="store_true", help="judge the corpus and write docs/reference/damage.json")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sealed", type=int, default=_SEALED_EACH, help="sealed faults for each type and field")
    parser.add_argument("--unsealed", type=int, default=_UNSEALED_EACH, help="unsealed ones")
    chosen = parser.parse_args(words)
    if chosen.run:
        summary = run(chosen.seed, sealed=chosen.sealed, unsealed=chosen.unsealed)
        SUMMARY.write_text(f"{json.dumps(summary, indent=1)}\n", encoding="utf-8")
        return 0
    sys.stdout.write(render(json.loads(SUMMARY.read_text(encoding="utf-8"))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
