"""Every code that a finding can have is explained somewhere under docs/."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r'"((?:wal|v2|snap|convert|discovery|boot)\.[a-z][a-z0-9-]+)"')


def test_every_code_of_reading_and_converting_is_explained() -> None:
    sources = [*(ROOT / "etcdtool").rglob("*.py"), *(ROOT / "converters").glob("*.py")]
    codes = {code for source in sources for code in CODE.findall(source.read_text(encoding="utf-8"))}
    assert len(codes) > 30, "the pattern no longer finds the codes"
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md"))
    assert [code for code in sorted(codes) if f"`{code}`" not in pages] == []
