"""Folded rows: no wider than the room where they can be, and every letter of them still there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from etcdtool.cli.fitting import fitted
from etcdtool.cli.text import printable

LETTERS = st.sampled_from(["a", "B", "0", "/", ".", "-", " ", "\\x1b", "鍵", "é", "https://", "kube-system", "\n"])
CELLS = st.lists(LETTERS, max_size=60).map("".join)
LEAST = 12
"""What no column is made narrower than."""


@given(st.integers(1, 5).flatmap(lambda size: st.lists(st.tuples(*[CELLS] * size), min_size=1)), st.integers(1, 120))
def test_rows_fit_and_are_whole(cells: list[tuple[str, ...]], room: int) -> None:
    rows = [["N"] * len(cells[0]), *(["\n".join(map(printable, cell.split("\n"))) for cell in row] for row in cells)]
    folded = fitted(rows, room)
    widths = [
        max(wcswidth(line) for cell in column for line in cell.split("\n")) for column in zip(*folded, strict=True)
    ]
    assert sum(widths) <= max(room, LEAST * len(widths))
    for row, shown in zip(rows, folded, strict=True):
        assert ["".join(cell.split()) for cell in shown] == ["".join(cell.split()) for cell in row]
