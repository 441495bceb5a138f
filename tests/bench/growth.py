#!/usr/bin/env python3
"""How time and memory of verify, status and hashkv grow with the revisions in a file; a figure and a table for docs.

``growth.py --measure 100000 300000 …`` writes one synthetic snapshot after the other into a folder, measures, deletes
it, and adds what was found to docs/reference/growth.json.  Without words it draws docs/reference/growth.svg from that
and prints the table.  26 million revisions are a file of 8 GB.  A file `REVISIONS.db` that is in the folder already
is taken as it is, and stays.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not __package__:  # started as a script
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.make_v3_synthetic import write_snapshot
from bench.side_by_side import MEMORY_BASE, MEMORY_PER_REVISION, etcdtool, in_turn, machine

if TYPE_CHECKING:
    from collections.abc import Iterator

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
RECORD, FIGURE = REFERENCE / "growth.json", REFERENCE / "growth.svg"
VERBS = {"verify": ("verify",), "snapshot status": ("snapshot", "status"), "hashkv": ("hashkv",)}
COLORS = {"verify": "#0969da", "snapshot status": "#bf8700", "hashkv": "#1a7f37"}
ROUNDS, ROUNDS_OF_LARGE, LARGE = 3, 1, 2_000_000


def measure(revisions: int, folder: Path) -> dict[str, Any]:
    """Write a file of so many revisions, and run the verbs on it."""
    path = folder / f"{revisions}.db"
    is_ready = path.exists()
    try:
        if not is_ready:
            write_snapshot(path, revisions)
        size = path.stat().st_size
        rounds = ROUNDS_OF_LARGE if revisions >= LARGE else ROUNDS
        runs = [partial(etcdtool, *words, path) for words in VERBS.values()]
        found = in_turn(*runs, rounds=rounds, warm=revisions < LARGE)
    finally:
        if not is_ready:
            path.unlink(missing_ok=True)
    return {
        "revisions": revisions,
        "bytes": size,
        "machine": machine(),
        **{
            verb: {"seconds": round(run.seconds, 3), "rssAnon": run.rss_anon_max}
            for verb, run in zip(VERBS, found, strict=True)
        },
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Give what was measured in Markdown."""
    lines = [
        "| revisions | file | " + " | ".join(f"{verb}, s | RssAnon, MB" for verb in VERBS) + " | limit, MB |",
        "|---:|---:|" + "---:|" * (2 * len(VERBS) + 1),
    ]
    for row in rows:
        cells = [f"{row['revisions']:,}", f"{row['bytes'] / 1e6:,.0f} MB"]
        for verb in VERBS:
            cells += [f"{row[verb]['seconds']:.2f}", f"{row[verb]['rssAnon'] / 1e6:,.0f}"]
        limit = MEMORY_BASE + MEMORY_PER_REVISION * row["revisions"]
        lines.append(f"| {' | '.join(cells)} | {limit / 1e6:,.0f} |")
    return "\n".join(lines)


class _Axes:
    """Logarithmic axes of a figure, in pixels."""

    width, height, left, right, top, bottom = 720, 420, 64, 120, 24, 48

    def __init__(self, x_range: tuple[float, float], y_range: tuple[float, float]) -> None:
        self.x_range, self.y_range = x_range, y_range

    def x(self, value: float) -> float:
        return self.left + _share(value, *self.x_range) * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        return self.height - self.bottom - _share(value, *self.y_range) * (self.height - self.top - self.bottom)


def _share(value: float, low: float, high: float) -> float:
    return math.log(value / low) / math.log(high / low)


def draw(rows: list[dict[str, Any]]) -> str:
    """Give the figure: both axes are logarithmic, so that what grows linearly has the slope of the grey line."""
    axes = _Axes((80_000, 40_000_000), (0.1, 100))
    size = f"0 0 {axes.width} {axes.height}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" font-family="sans-serif" font-size="12">',
            "<title>Seconds over revisions</title>",
            '<rect width="100%" height="100%" fill="white"/>',
            *_grid(axes),
            *_linear(axes, rows[-1]["revisions"], rows[-1]["verify"]["seconds"]),
            *(part for verb, color in COLORS.items() for part in _curve(axes, rows, verb, color)),
            "</svg>",
            "",
        ]
    )


def _grid(axes: _Axes) -> Iterator[str]:
    bottom = axes.height - axes.bottom
    for revisions, label in ((10**5, "100,000"), (10**6, "1 million"), (10**7, "10 million")):
        at = axes.x(revisions)
        yield _line((at, axes.top), (at, bottom), "#d0d7de")
        yield _text(at, bottom + 18, label, anchor="middle")
    for seconds in (0.1, 1, 10, 100):
        at = axes.y(seconds)
        yield _line((axes.left, at), (axes.width - axes.right, at), "#d0d7de")
        yield _text(axes.left - 8, at + 4, f"{seconds} s", anchor="end")
    yield _text((axes.left + axes.width - axes.right) / 2, axes.height - 8, "revisions", anchor="middle")


def _linear(axes: _Axes, revisions: float, seconds: float) -> Iterator[str]:
    begin = max(axes.x_range[0], axes.y_range[0] * revisions / seconds)
    start = axes.x(begin), axes.y(begin * seconds / revisions)
    yield _line(start, (axes.x(revisions), axes.y(seconds)), "#8c959f", dashes="4 4")
    yield _text(start[0] + 12, start[1] - 4, "linear", color="#8c959f")


def _curve(axes: _Axes, rows: list[dict[str, Any]], verb: str, color: str) -> Iterator[str]:
    points = [(axes.x(row["revisions"]), axes.y(row[verb]["seconds"])) for row in rows]
    for one, other in pairwise(points):
        yield _line(one, other, color, width=2)
    for x, y in points:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>'
    yield _text(points[-1][0] + 8, points[-1][1] + 4, verb, color=color)


def _line(one: tuple[float, float], other: tuple[float, float], color: str, *, width: int = 1, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    (x1, y1), (x2, y2) = one, other
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{color}" stroke-width="{width}"{dashed}/>'
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start", color: str = "#1f2328") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">{text}</text>'


def main() -> None:
    """Measure, or draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", type=int, nargs="+", metavar="REVISIONS", help="sizes to measure anew")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where files of 8 GB fit")
    chosen = parser.parse_args()
    rows = {row["revisions"]: row for row in json.loads(RECORD.read_text())} if RECORD.exists() else {}
    for revisions in chosen.measure or ():
        rows[revisions] = measure(revisions, chosen.folder)
        RECORD.write_text(json.dumps([rows[key] for key in sorted(rows)], indent=1) + "\n")
    found = [rows[key] for key in sorted(rows)]
    FIGURE.write_text(draw(found))
    print(found[-1]["machine"])
    print(table(found))


if __name__ == "__main__":
    main()
