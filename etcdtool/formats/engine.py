"""The two ways in which large files are read; they give the same values, findings and errors."""

from __future__ import annotations

from typing import Literal

__all__ = ["Engine"]

Engine = Literal["columns", "plain"]
"""``columns``: NumPy arrays, a field a column; ``plain``: item by item, slow and obvious."""
