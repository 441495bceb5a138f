"""Raft's members as the changes in the log make them.

Upstream: ``confchange/confchange.go`` @ raft v3.6.0; etcd uses the simple form only, one change an entry.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from etcdtool.model.raft_log import ConfChange, ConfChangeType

if TYPE_CHECKING:
    from etcdtool.formats.raft import ConfState

__all__ = ["changed_by"]


def changed_by(state: ConfState, change: ConfChange) -> ConfState:
    """Return raft's members after a change that the cluster did not refuse; in the order of their ids, as servers do.

    An addition of a learner as a voter is its promotion.
    """
    voters, learners = set(state.voters), set(state.learners)
    if change.type is not ConfChangeType.UPDATE_NODE:
        voters.discard(change.node_id)
        learners.discard(change.node_id)
    if change.type is ConfChangeType.ADD_NODE:
        voters.add(change.node_id)
    elif change.type is ConfChangeType.ADD_LEARNER_NODE:
        learners.add(change.node_id)
    return replace(state, voters=tuple(sorted(voters)), learners=tuple(sorted(learners)))
