"""Where a log ends, for one member and for several, with logs in which every entry is known.

The rules are raft's: a sole voter commits what it has; else what a quorum holds is committed, and the log with the
highest (last term, last index) is the one that the others would follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import samples
from support.v2_log import History, write_member

from etcdtool.errors import AnswerIsNoError, FormatError, UsageError
from etcdtool.model.raft_log import ConfChangeType
from etcdtool.operations.read_v2 import ReadOptions, TailPolicy, read_v2

if TYPE_CHECKING:
    from pathlib import Path


class Told:
    """What reading some data dirs together said."""

    def __init__(self, *data_dirs: Path, tail: TailPolicy | None = None) -> None:
        with read_v2(data_dirs, ReadOptions(tail=tail)) as data:
            rows = data.rows(even_undecided=True)
            self.values = {node.path.decode(): node.value.decode() for node, _ in rows if not node.is_directory}
            self.index, self.undecided = data.raft_index, data.tail_undecided
            self.tail = [entry.summary for entry in data.tail]
            self.codes = {finding.code for finding in data.report.findings if finding.code.startswith("v2.")}
            if data.tail_undecided:
                with pytest.raises(AnswerIsNoError, match="--tail"):
                    data.rows()
            else:
                data.rows()


def committed(*voters: int) -> History:
    """Give a log whose members are these, with one committed write at its end."""
    return History().with_voters(*voters).in_term(2).put("/sure", "1")


def test_a_sole_voter_commits_its_tail(tmp_path: Path) -> None:
    history = committed(1)
    commit = len(history)
    told = Told(write_member(tmp_path, 1, history.put("/late", "2").no_op(), commit=commit))
    assert told.values == {"/sure": "1", "/late": "2"}
    assert (told.index, told.undecided, told.codes) == (commit + 2, False, {"v2.tail-of-sole-voter"})


def test_a_member_whose_others_were_removed_is_a_sole_voter(tmp_path: Path) -> None:
    history = committed(1, 2).change_members(ConfChangeType.REMOVE_NODE, 2)
    told = Told(write_member(tmp_path, 1, history.copy().put("/late", "2"), commit=len(history)))
    assert told.values == {"/sure": "1", "/late": "2"}


def test_a_removal_that_is_not_committed_leaves_two_voters(tmp_path: Path) -> None:
    history = committed(1, 2)
    commit = len(history)
    history.change_members(ConfChangeType.REMOVE_NODE, 2).put("/late", "2")
    told = Told(write_member(tmp_path, 1, history, commit=commit))
    assert told.undecided
    assert told.tail == ["REMOVE_NODE 2", "PUT /1/late"]


def test_one_of_three_is_asked_about(tmp_path: Path) -> None:
    history = committed(1, 2, 3)
    commit = len(history)
    data_dir = write_member(tmp_path, 1, history.put("/perhaps", "2").put("/sure", "3"), commit=commit)
    told = Told(data_dir)
    assert (told.undecided, told.index, told.tail) == (True, commit, ["PUT /1/perhaps", "PUT /1/sure"])
    assert told.codes == {"v2.members-missing"}
    applied = Told(data_dir, tail=TailPolicy.APPLY)
    assert applied.values == {"/sure": "3", "/perhaps": "2"}
    assert (applied.index, applied.tail) == (commit + 2, [])
    ignored = Told(data_dir, tail=TailPolicy.IGNORE)
    assert ignored.values == {"/sure": "1"}
    assert ignored.tail == told.tail


@pytest.mark.parametrize(
    "add",
    [
        lambda history: history.no_op(),
        lambda history: history.v3_put(b"/k", b"v"),
        lambda history: history.quorum_get("/sure"),
        lambda history: history.no_op().v3_put(b"/k", b"v").quorum_get("/sure"),
    ],
    ids=["no-op", "v3", "QGET", "all"],
)
def test_a_tail_that_changes_no_v2_key_needs_no_decision(add: object, tmp_path: Path) -> None:
    history = committed(1, 2, 3)
    commit = len(history)
    assert callable(add)
    told = Told(write_member(tmp_path, 1, add(history), commit=commit))
    assert (told.undecided, told.tail, told.values) == (False, [], {"/sure": "1"})


@pytest.mark.parametrize(
    ("voters", "holders", "given", "is_applied"),
    [
        (3, (1, 2), (1, 2), True),
        (3, (1, 2), (1, 2, 3), True),
        (3, (1,), (1, 2, 3), False),
        (3, (1, 3), (1, 2), False),  # the quorum is there, but a part of it was not given
        (5, (1, 2, 3), (1, 2, 3), True),
        (5, (1, 2, 3), (1, 2, 3, 4, 5), True),
        (5, (1, 2), (1, 2, 3, 4, 5), False),
        (4, (1, 2), (1, 2, 3, 4), False),
        (4, (1, 2, 3), (1, 2, 3), True),
    ],
)
def test_what_a_quorum_holds_is_applied(
    voters: int, holders: tuple[int, ...], given: tuple[int, ...], is_applied: bool, tmp_path: Path
) -> None:
    history = committed(*range(1, voters + 1))
    commit = len(history)
    longer = history.copy().put("/late", "2")
    data_dirs = [
        write_member(tmp_path, number, longer if number in holders else history, commit=commit) for number in given
    ]
    for order in (data_dirs, data_dirs[::-1]):
        told = Told(*order)
        assert told.undecided != is_applied
        assert ("/late" in told.values) == is_applied
        assert ("v2.tail-of-quorum" in told.codes) == is_applied


def test_what_is_beyond_the_quorum_stays_undecided(tmp_path: Path) -> None:
    history = committed(1, 2, 3)
    commit = len(history)
    two = history.copy().put("/two", "x")
    data_dirs = [
        write_member(tmp_path, 1, two.copy().put("/one", "x"), commit=commit),
        write_member(tmp_path, 2, two, commit=commit),
        write_member(tmp_path, 3, history, commit=commit),
    ]
    told = Told(*data_dirs)
    assert told.values == {"/sure": "1", "/two": "x"}
    assert (told.undecided, told.tail) == (True, ["PUT /1/one"])


def test_the_highest_term_wins_over_the_longer_log(tmp_path: Path) -> None:
    history = committed(1, 2, 3)
    commit = len(history)
    old_leader = history.copy().put("/lost", "1").put("/lost", "2").put("/lost", "3")
    new_leader = history.copy().in_term(3).put("/won", "1")
    data_dirs = [
        write_member(tmp_path, 1, old_leader, commit=commit),
        write_member(tmp_path, 2, new_leader, commit=commit),
        write_member(tmp_path, 3, new_leader, commit=commit),
    ]
    for order in (data_dirs, data_dirs[::-1]):
        told = Told(*order)
        assert told.values == {"/sure": "1", "/won": "1"}
        assert not told.undecided
    # without the third, nobody knows whether a quorum has it; the old leader's entry of that index is no vote for it
    told = Told(*data_dirs[:2])
    assert told.values == {"/sure": "1"}
    assert told.tail == ["no-op of a new leader", "PUT /1/won"]


def test_the_longer_log_wins_within_a_term(tmp_path: Path) -> None:
    history = committed(1, 2, 3)
    longer = history.copy().put("/late", "2")
    short = write_member(tmp_path, 1, history, commit=len(history))
    told = Told(short, write_member(tmp_path, 2, longer, commit=len(longer)))
    assert told.values == {"/sure": "1", "/late": "2"}
    assert not told.undecided


def test_a_commit_that_another_member_knows_of_counts(tmp_path: Path) -> None:
    history = committed(1, 2, 3).put("/late", "2")
    behind = write_member(tmp_path, 1, history, commit=len(history) - 1)
    told = Told(behind, write_member(tmp_path, 2, history.copy(len(history) - 1), commit=len(history) - 1))
    assert told.undecided
    told = Told(behind, write_member(tmp_path, 3, history, commit=len(history)))
    assert (told.undecided, told.values, told.index) == (False, {"/sure": "1", "/late": "2"}, len(history))


def test_a_newest_log_behind_anothers_commit_is_refused(tmp_path: Path) -> None:
    history = committed(1, 2, 3)
    far = history.copy().put("/a", "1").put("/b", "1")
    other = history.copy(len(history) - 1).in_term(9)
    data_dirs = [
        write_member(tmp_path, 1, far, commit=len(far), snap_at=len(far), voters=(1, 2, 3)),
        write_member(tmp_path, 2, other, commit=len(history) - 1),
    ]
    with pytest.raises(FormatError, match=f"ends at raft index {len(other)}, .* committed up to {len(far)}"):
        Told(*data_dirs)


def test_another_life_of_the_same_cluster_is_refused(tmp_path: Path) -> None:
    history = committed(1, 2, 3)
    one = history.copy().put("/a", "1")
    other = history.copy().in_term(5).put("/b", "1").put("/c", "1")
    data_dirs = [
        write_member(tmp_path, 1, one, commit=len(one)),
        write_member(tmp_path, 2, other, commit=len(other)),
    ]
    with pytest.raises(UsageError, match=f"entry {len(one)} is of term 2 in .*m1.etcd.* of term 5 in .*m2.etcd"):
        Told(*data_dirs)


def test_other_clusters_are_refused(tmp_path: Path) -> None:
    history = committed(1, 2, 3)
    one = write_member(tmp_path, 1, history, commit=len(history), cluster_id=0xC1)
    other = write_member(tmp_path, 2, history, commit=len(history), cluster_id=0xC2)
    with pytest.raises(UsageError, match=r"not of one cluster: .* cluster c1, .* cluster c2"):
        Told(one, other)


def test_a_removed_member_is_no_vote_and_says_that_it_is_old(tmp_path: Path) -> None:
    history = committed(1, 2, 3).change_members(ConfChangeType.REMOVE_NODE, 3)
    commit = len(history)
    longer = history.copy().put("/late", "2")
    removed = write_member(tmp_path, 3, longer, commit=commit)
    told = Told(removed)
    assert (told.values, told.undecided, told.tail) == ({"/sure": "1"}, False, ["PUT /1/late"])
    assert told.codes == {"v2.member-removed", "v2.tail-left-out"}
    told = Told(
        removed, write_member(tmp_path, 1, longer, commit=commit), write_member(tmp_path, 2, history, commit=commit)
    )
    assert "/late" not in told.values
    assert told.tail == ["PUT /1/late"]


def test_a_log_of_no_member_leaves_its_tail_out(tmp_path: Path) -> None:
    # the real etcdctl backup gives a copy ids that nobody has, so it starts with --force-new-cluster only
    history = committed(1, 2, 3)
    data_dir = write_member(tmp_path, 0xBAD, history.copy().put("/late", "2"), commit=len(history))
    told = Told(data_dir)
    assert (told.values, told.undecided, told.tail) == ({"/sure": "1"}, False, ["PUT /1/late"])
    assert told.codes == {"v2.tail-left-out"}
    assert Told(data_dir, tail=TailPolicy.APPLY).values == {"/sure": "1", "/late": "2"}


def test_a_real_backup_is_one_of_no_member() -> None:
    told = Told(samples.unpack("v2-rich/3.4/backup-etcdctl.tar.gz"))
    assert not told.undecided
    assert "v2.members-missing" not in told.codes


def test_a_learner_has_no_vote(tmp_path: Path) -> None:
    history = committed(1, 2, 3).change_members(ConfChangeType.ADD_LEARNER_NODE, 4)
    commit = len(history)
    longer = history.copy().put("/late", "2")
    learner = write_member(tmp_path, 4, longer, commit=commit)
    first = write_member(tmp_path, 1, longer, commit=commit)
    second = write_member(tmp_path, 2, history, commit=commit)
    assert Told(learner).undecided
    assert Told(learner, first, second).undecided, "one voter of three and a learner are no quorum"
    told = Told(learner, first, write_member(tmp_path, 3, longer, commit=commit))
    assert (told.values, told.undecided) == ({"/sure": "1", "/late": "2"}, False)


def test_a_learner_ahead_of_all_voters_hides_no_quorum(tmp_path: Path) -> None:
    history = committed(1, 2, 3).change_members(ConfChangeType.ADD_LEARNER_NODE, 4)
    commit = len(history)
    longer = history.copy().put("/late", "2")
    data_dirs = [write_member(tmp_path, number, longer, commit=commit) for number in (1, 2)]
    told = Told(write_member(tmp_path, 4, longer.copy().put("/ahead", "3"), commit=commit), *data_dirs)
    assert told.values == {"/sure": "1", "/late": "2"}
    assert told.tail == ["PUT /1/ahead"]


def test_a_learner_does_not_keep_a_sole_voter_from_committing(tmp_path: Path) -> None:
    history = committed(1).change_members(ConfChangeType.ADD_LEARNER_NODE, 2)
    voter = write_member(tmp_path, 1, history.copy().put("/late", "2"), commit=len(history))
    told = Told(voter)
    assert (told.values, told.undecided) == ({"/sure": "1", "/late": "2"}, False)


def test_copies_of_one_member_are_one_vote(tmp_path: Path) -> None:
    history = committed(1, 2, 3)
    commit = len(history)
    longer = history.copy().put("/late", "2")
    first = write_member(tmp_path, 1, longer, commit=commit)
    copy = write_member(tmp_path / "copy", 1, longer, commit=commit)
    older = write_member(tmp_path / "older", 1, history, commit=commit)
    assert Told(first, copy).undecided
    assert Told(first, first).undecided
    second = write_member(tmp_path, 2, longer, commit=commit)
    for order in ((older, first, second), (first, older, second), (second, first, older)):
        told = Told(*order)
        assert (told.values, told.undecided) == ({"/sure": "1", "/late": "2"}, False), "the newest copy counts"


@pytest.mark.parametrize(
    ("voters", "given", "is_said"),
    [(3, 1, True), (3, 2, False), (4, 1, True), (4, 2, False), (5, 2, True), (5, 3, False)],
)
def test_members_that_every_quorum_needs_are_asked_for(voters: int, given: int, is_said: bool, tmp_path: Path) -> None:
    history = committed(*range(1, voters + 1))
    data_dirs = [write_member(tmp_path, number + 1, history, commit=len(history)) for number in range(given)]
    told = Told(*data_dirs)
    assert ("v2.members-missing" in told.codes) == is_said
    assert not told.undecided


def test_a_snap_reaches_as_far_as_the_entries_it_stands_for(tmp_path: Path) -> None:
    history = committed(1, 2, 3)
    commit = len(history)
    longer = history.copy().put("/late", "2")
    data_dirs = [
        write_member(tmp_path, 1, longer, commit=commit, snap_at=commit, voters=(1, 2, 3)),
        write_member(tmp_path, 2, longer, commit=commit - 1),
    ]
    told = Told(*data_dirs)
    assert (told.values, told.undecided) == ({"/sure": "1", "/late": "2"}, False)
    with_all = write_member(tmp_path, 3, longer, commit=len(longer), snap_at=len(longer), voters=(1, 2, 3))
    assert Told(with_all, data_dirs[0]).index == len(longer)
