"""Drawn damage of WAL and ``.snap`` files: found, with a place, or of a kind that is known to leave no sign."""

from __future__ import annotations

import pytest
from support.damage_logs import LOG_FIELDS, WITHOUT_A_SIGN, is_found

EACH = 15
FULL_EACH = 100


def unfound(kind: str, name: str, count: int, seed: int) -> list[int]:
    return [number for number in range(count) if not is_found(seed, kind, name, number)]


@pytest.mark.parametrize(("kind", "name"), LOG_FIELDS, ids=["/".join(names) for names in LOG_FIELDS])
def test_a_fault_is_found(kind: str, name: str, request: pytest.FixtureRequest) -> None:
    count = FULL_EACH if request.config.getoption("--full") else EACH
    missed = unfound(kind, name, count, request.config.getoption("--seed") or 0)
    assert not missed or (kind, name) in WITHOUT_A_SIGN
    if name != "padding":
        assert len(missed) < count / 2
