"""Raft's members after each kind of change."""

from __future__ import annotations

import pytest

from etcdtool.formats.raft import ConfState
from etcdtool.model.conf_state import changed_by
from etcdtool.model.raft_log import ConfChange, ConfChangeType

BEFORE = ConfState(voters=(3, 7), learners=(5,))


@pytest.mark.parametrize(
    ("change", "number", "voters", "learners"),
    [
        (ConfChangeType.ADD_NODE, 4, (3, 4, 7), (5,)),
        (ConfChangeType.ADD_NODE, 5, (3, 5, 7), ()),
        (ConfChangeType.ADD_NODE, 7, (3, 7), (5,)),
        (ConfChangeType.ADD_LEARNER_NODE, 4, (3, 7), (4, 5)),
        (ConfChangeType.REMOVE_NODE, 3, (7,), (5,)),
        (ConfChangeType.REMOVE_NODE, 5, (3, 7), ()),
        (ConfChangeType.UPDATE_NODE, 5, (3, 7), (5,)),
    ],
)
def test_a_change(change: ConfChangeType, number: int, voters: tuple[int, ...], learners: tuple[int, ...]) -> None:
    assert changed_by(BEFORE, ConfChange(type=change, node_id=number)) == ConfState(voters=voters, learners=learners)
