"""Draw faults, ask every tool and ours, and count: by type and field, sealed and unsealed.

As a script it runs the whole corpus and writes the counts, and the table made of them::

    python tests/support/damage_corpus.py --run              (counts to docs/reference/damage.json; long)
    python tests/support/damage_corpus.py --run --seed 7     (other faults; the docs stay as they are)
    python tests/support/damage_corpus.py > docs/reference/damage.md

What each program said of each fault is kept too: that of seed 0 in the repository (`support.kept_faults`), that of
other seeds in the cache folder, ``damage/corpus-SEED.jsonl.zst``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not __package__:  # started as a script: the folder of the package is not on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import kept_faults, programs
from support.damage import CATALOGUE, SAMPLES, draw, fields
from support.damage_logs import LOG_FIELDS, WITHOUT_A_SIGN, draw_log
from support.log_verdicts import LOG_TOOLS, judge_log, log_program_of
from support.verdicts import SECONDS_MAX, TOOLS, judge, program_of

from etcdtool.checks.container import NO_TRAILER
from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.findings import Severity
from etcdtool.operations.verify import verify
from etcdtool.operations.verify_source import verify_source
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from support.damage import Fault
    from support.damage_logs import LogFault
    from support.verdicts import Verdict

    from etcdtool.findings import Finding

__all__ = [
    "KEPT_SEED",
    "OURS_SECONDS_MAX",
    "SEALED_EACH",
    "SUMMARY",
    "UNDETECTABLE",
    "UNSEALED_EACH",
    "Judged",
    "Ours",
    "corpus",
    "count",
    "faults_of",
    "judged",
    "judged_log",
    "ours_of",
    "render",
]

OURS_SECONDS_MAX = 5.0
SUMMARY = Path(__file__).resolve().parents[2] / "docs" / "reference" / "damage.json"
KEPT_SEED = 0
"""The corpus of this seed is the one that the docs tell of."""
SEALED_EACH, UNSEALED_EACH = 100, 10


@dataclass(frozen=True, slots=True)
class Ours:
    """What ``verify`` made of a fault.

    Attributes:
        word: ``error``, ``warning`` or ``note``, the gravest finding that names a place; ``good`` where there is none.
            The only note that counts is that of a missing trailer: a database needs none.
        codes: of these findings.
        said: the gravest of them.
        seconds: what it took.
    """

    word: str
    codes: tuple[str, ...]
    said: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A fault and what was said of it.

    Attributes:
        fault: what was damaged; its bytes are gone.
        page_type, field: what was damaged.
        sealed: whether the trailer was made to fit afterwards; of logs, False.
        ours: what ours said.
        others: what each tool said.
        programs: which program that was, by tool.
    """

    fault: Mapping[str, Any]
    page_type: str
    field: str
    sealed: bool
    ours: Ours
    others: Mapping[str, Verdict]
    programs: Mapping[str, str]

    @property
    def is_found_by_others(self) -> bool:
        """Whether any real tool found it."""
        return any(verdict.word != "good" for verdict in self.others.values())

    def as_json(self) -> dict[str, Any]:
        """One line of the corpus."""
        others = {tool: [verdict.word, verdict.said] for tool, verdict in self.others.items()}
        return {
            **self.fault,
            "verify": [self.ours.word, self.ours.said],
            **others,
            kept_faults.PROGRAMS: dict(self.programs),
        }


def corpus(seed: int, page_type: str, *, sealed: int, unsealed: int) -> Iterator[Fault]:
    """Draw so many faults for each field of a page type."""
    for name in CATALOGUE[page_type]:
        yield from faults_of(seed, page_type, name, sealed=sealed, unsealed=unsealed)


def faults_of(seed: int, page_type: str, name: str, *, sealed: int, unsealed: int) -> Iterator[Fault]:
    """Draw so many faults for a field; those of a trailer can't be sealed."""
    if page_type == "trailer":
        yield from (draw(seed, page_type, name, number, sealed=False) for number in range(sealed))
        return
    yield from (draw(seed, page_type, name, number, sealed=True) for number in range(sealed))
    yield from (draw(seed, page_type, name, number, sealed=False) for number in range(-unsealed, 0))


def judged(fault: Fault) -> Judged:
    """Ask everybody about a file."""
    described = {
        "sample": fault.sample,
        "type": fault.page_type,
        "field": fault.field,
        "what": fault.what,
        "sealed": fault.sealed,
        "sha256": fault.sha256,
    }
    return Judged(
        fault=described,
        page_type=fault.page_type,
        field=fault.field,
        sealed=fault.sealed,
        ours=ours_of(fault),
        others=judge(fault),
        programs={tool: program_of(tool) for tool in TOOLS},
    )


def judged_log(fault: LogFault) -> Judged:
    """Ask everybody about a data dir."""
    described = {
        "sample": fault.sample,
        "type": fault.kind,
        "field": fault.field,
        "file": fault.path,
        "what": fault.what,
        "sha256": fault.sha256,
    }
    with tempfile.TemporaryDirectory(prefix="etcdtool-damage-") as folder:
        root = fault.write(Path(folder))
        ours = _ours(lambda: verify_source(root).report.findings, hidden=str(root))
    others = judge_log(fault)
    return Judged(
        fault=described,
        page_type=fault.kind,
        field=fault.field,
        sealed=False,
        ours=ours,
        others=others,
        programs={tool: log_program_of(tool, fault) for tool in others},
    )


def missed(result: Judged) -> bool:
    """Tell whether ours passes over it: sealed or in a log, no error where a tool finds it; else, nothing at all."""
    if result.fault.get("sealed", True):
        return result.ours.word != "error" and result.is_found_by_others
    return result.ours.word == "good"


def ours_of(fault: Fault) -> Ours:
    """Ask ours about a file."""

    def verified() -> list[Finding]:
        with open_database(path) as database:
            return verify(database).findings

    with tempfile.TemporaryDirectory(prefix="etcdtool-damage-") as folder:
        path = Path(folder) / "damaged.db"
        path.write_bytes(fault.data)
        return _ours(verified, hidden=str(path))


def _ours(find: Callable[[], list[Finding]], *, hidden: str) -> Ours:
    started = time.perf_counter()
    try:
        found = find()
    except EtcdtoolError as error:
        has_place = not isinstance(error, FormatError) or error.offset is not None or bool(error.where)
        word = "error" if has_place else "good"
        return Ours(word, (type(error).__name__,), str(error).replace(hidden, "@"), time.perf_counter() - started)
    seconds = time.perf_counter() - started
    counted = [one for one in found if one.severity is not Severity.NOTE or one.code == NO_TRAILER.code]
    placed = [one for one in counted if one.offset is not None or one.where != "file"]
    for severity in Severity:
        for finding in placed:
            if finding.severity is severity:
                codes = tuple(sorted({one.code for one in counted}))
                return Ours(severity.value, codes, str(finding).replace(hidden, "@"), seconds)
    return Ours("good", (), "", seconds)


def count(results: Iterable[Judged]) -> dict[str, dict[str, dict[str, int]]]:
    """Count what was found: ``{"type / field": {"sealed": {"faults", "status", …}, "unsealed": …}}``."""
    table: dict[str, dict[str, dict[str, int]]] = {}
    for result in results:
        row = table.setdefault(f"{result.page_type} / {result.field}", {})
        cell = row.setdefault("sealed" if result.sealed else "unsealed", _empty_cell(TOOLS))
        _count_into(cell, result)
    return table


def count_logs(results: Iterable[Judged]) -> dict[str, dict[str, int]]:
    """Count likewise for logs and ``.snap`` files; a tool was not asked about all of them."""
    table: dict[str, dict[str, int]] = {}
    for result in results:
        asked = tuple(f"{tool} asked" for tool in LOG_TOOLS)
        cell = table.setdefault(f"{result.page_type} / {result.field}", _empty_cell((*LOG_TOOLS, *asked)))
        _count_into(cell, result)
        for tool in result.others:
            cell[f"{tool} asked"] += 1
    return table


def _empty_cell(names: Iterable[str]) -> dict[str, int]:
    return dict.fromkeys(("faults", *names, "hangs", "any", "ours", "errors"), 0)


def _count_into(cell: dict[str, int], result: Judged) -> None:
    cell["faults"] += 1
    for tool, verdict in result.others.items():
        cell[tool] += verdict.word != "good"
    cell["hangs"] += any(verdict.word == "hang" for verdict in result.others.values())
    cell["any"] += result.is_found_by_others
    cell["ours"] += result.ours.word != "good"
    cell["errors"] += result.ours.word == "error"


def run(seed: int, *, sealed: int, unsealed: int) -> dict[str, Any]:
    """Judge the whole corpus by all processors, keep a line for each fault, give the summary."""
    tasks = [(seed, page_type, name, sealed, unsealed) for page_type, name in fields()]
    log_tasks = [(seed, kind, name, sealed) for kind, name in LOG_FIELDS]
    with ProcessPoolExecutor() as pool:
        results = list(itertools.chain.from_iterable(pool.map(judged_field, *zip(*tasks, strict=True))))
        logs = list(itertools.chain.from_iterable(pool.map(judged_log_field, *zip(*log_tasks, strict=True))))
    return summary_of(seed, results, logs)


def judged_field(seed: int, page_type: str, name: str, sealed: int, unsealed: int) -> list[Judged]:
    """Judge the faults of a field."""
    return [judged(fault) for fault in faults_of(seed, page_type, name, sealed=sealed, unsealed=unsealed)]


def judged_log_field(seed: int, kind: str, name: str, count: int) -> list[Judged]:
    """Judge the faults of a field of logs or ``.snap`` files."""
    return [judged_log(draw_log(seed, kind, name, number)) for number in range(count)]


def summary_of(seed: int, results: list[Judged], logs: list[Judged]) -> dict[str, Any]:
    """Keep a line for each fault, complain about what is missed, and count."""
    everything = [*results, *logs]
    cached = programs.cache_dir() / "damage" / f"corpus-{seed}.jsonl.zst"
    kept_faults.write(kept_faults.PATH if seed == KEPT_SEED else cached, [result.as_json() for result in everything])
    passed_over = [result for result in everything if missed(result)]
    for result in passed_over:
        print(f"missed: {result.as_json()}", file=sys.stderr)
    return {
        "seed": seed,
        "samples": list(SAMPLES),
        "tools": {name: programs.RELEASES[name] for name in ("3.4", "3.5", "3.7", "bbolt")},
        "faults": len(everything),
        "missed": len(passed_over),
        "fields": count(results),
        "logs": count_logs(logs),
    }


_HEAD = """\
# What finds which damage

{faults} faults, drawn from seed {seed} in {samples} real databases: bits flipped, numbers changed, bytes and pages
zeroed, swapped and overwritten, files cut.
Each line is a field of a type of page, and how many percent of the faults in it were found.

- **status** is `etcdutl snapshot status` {etcdutl}, **check** `bbolt check` {bbolt}, **restore**
  `etcdutl snapshot restore` {etcdutl}: a message, a panic, or no answer within {seconds} seconds of computing.
- **verify** is `etcdtool verify`: an error or a warning that names a page, an offset or a key.
- **sealed** means that the sha256 trailer was made to fit after the damage, so that only the content can tell.

`verify` makes an error of every sealed fault that one of the others finds.
Unsealed it finds every fault, since the trailer tells (a lost trailer is a note: a database needs none).
What each said of each fault stands in [damage-faults.jsonl.zst](damage-faults.jsonl.zst), one JSON object a line.

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
    rows = summary["fields"]
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
    for name, row in rows.items():
        if cell := row.get("sealed"):
            found = [_percent(cell[column], cell["faults"]) for column in (*TOOLS, "ours")]
            why = UNDETECTABLE.get(name, "") if cell["ours"] < cell["faults"] else ""
            lines.append(f"| {name} | {cell['faults']} | {' | '.join(found)} | {why} |")
    return f"{head}{chr(10).join(lines)}\n\n{_unsealed(rows)}\n{_logs(summary['logs'], summary['tools'])}"


def _unsealed(fields: Mapping[str, Any]) -> str:
    cells = [row["unsealed"] for name, row in fields.items() if "unsealed" in row]
    totals = {column: sum(cell[column] for cell in cells) for column in ("faults", *TOOLS, "ours")}
    found = "| ".join(f"{_percent(totals[column], totals['faults'])} " for column in (*TOOLS, "ours"))
    return (
        "## Unsealed, and faults of the trailer\n\n"
        f"| faults | {' | '.join((*TOOLS, 'verify'))} |\n|---:|{'---:|' * (len(TOOLS) + 1)}\n"
        f"| {totals['faults']} | {found}|\n"
    )


_LOGS_HEAD = """\
## Logs and .snap files

One file of a real data dir of 3.4, 3.5 or 3.7 was damaged; its checksums are left as they were.

- **boot** is a server of the version that wrote it, {etcds}: it refuses to start, or is never ready.
  That it starts does not mean that it has lost nothing.
- **migrate** is `etcdutl migrate` {etcdutl} (of 3.5 and 3.7), **check v2store** `etcdutl check v2store` {etcdutl_3_5}:
  both read the log.
"""


def _logs(fields: Mapping[str, Mapping[str, int]], tools: Mapping[str, str]) -> str:
    etcds = ", ".join(tools[version] for version in ("3.4", "3.5", "3.7"))
    lines = [
        _LOGS_HEAD.format(etcds=etcds, etcdutl=tools["3.7"], etcdutl_3_5=tools["3.5"]),
        f"| file, field | faults | {' | '.join(LOG_TOOLS)} | verify | why not all |",
        f"|---|---:|{'---:|' * (len(LOG_TOOLS) + 1)}---|",
    ]
    for name, cell in fields.items():
        kind, _, field = name.partition(" / ")
        why = WITHOUT_A_SIGN.get((kind, field), "") if cell["ours"] < cell["faults"] else ""
        shares = [_percent(cell[tool], cell[f"{tool} asked"]) for tool in LOG_TOOLS]
        ours = _percent(cell["ours"], cell["faults"])
        lines.append(f"| {name} | {cell['faults']} | {' | '.join(shares)} | {ours} | {why} |")
    return "\n".join(lines) + "\n"


def _percent(part: int, whole: int) -> str:
    # never rounded up to all, nor down to none
    share = 100 * part / whole
    return "100" if part == whole else "0" if part == 0 else f"{min(max(share, 1), 99):.0f}"


def main(words: list[str]) -> int:
    """Run the corpus, or print the page; 1 where something is missed."""
    parser = argparse.ArgumentParser(description="What each tool finds of drawn damage.")
    parser.add_argument("--run", action="store_true", help="judge the corpus and write docs/reference/damage.json")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sealed", type=int, default=SEALED_EACH, help="sealed faults for each type and field")
    parser.add_argument("--unsealed", type=int, default=UNSEALED_EACH, help="unsealed ones")
    chosen = parser.parse_args(words)
    if chosen.run:
        summary = run(chosen.seed, sealed=chosen.sealed, unsealed=chosen.unsealed)
        if chosen.seed == KEPT_SEED:
            SUMMARY.write_text(f"{json.dumps(summary, indent=1)}\n", encoding="utf-8")
        print(f"seed {chosen.seed}: {summary['faults']} faults, {summary['missed']} missed", file=sys.stderr)
        return 1 if summary["missed"] else 0
    sys.stdout.write(render(json.loads(SUMMARY.read_text(encoding="utf-8"))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
