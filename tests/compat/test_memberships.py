"""Data dirs of real servers whose database knows other members than their v2 store, as bugs of 3.4 and 3.5 made them.

The database of a stopped 3.5 is edited; that the edit does what the bug did is proved by what a real 3.6 then lists.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from support import samples
from support.bbolt_files import applied
from support.faults import copy_dir
from support.servers import Server

from etcdtool.findings import Severity
from etcdtool.formats.bbolt.transaction import Transaction
from etcdtool.model.membership import Member, member_id_text, parse_member
from etcdtool.operations.verify_source import verify_source
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MEMBERS, REMOVED = b"members", b"members_removed"
GONE_URL, LEARNER_URL = "http://127.0.0.1:1", "http://127.0.0.1:2"
FLAGS = ("--heartbeat-interval=20", "--election-timeout=120")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the data dir of a 3.5 to which two learners were added, and from which one was removed again."""
    root = tmp_path_factory.mktemp("real") / "default.etcd"
    with Server("3.5", root, "--snapshot-count=10", *FLAGS) as server:
        gone = server.etcdctl_json("member", "add", "gone", "--learner", f"--peer-urls={GONE_URL}")["member"]["ID"]
        server.etcdctl("member", "remove", member_id_text(gone))
        server.etcdctl("member", "add", "learner", "--learner", f"--peer-urls={LEARNER_URL}")
        for number in range(30):
            server.etcdctl("put", "k", str(number))
    return root


def found(root: Path) -> list[tuple[str, str]]:
    """Give code and place of each finding above a note; the data dir stays as it is."""
    before = samples.hashes(root)
    report = verify_source(root).report
    assert samples.hashes(root) == before
    return [(one.code, one.where) for one in report.findings if one.severity is not Severity.NOTE]


def edited(root: Path, folder: Path, change: Callable[[Transaction, dict[str, Member]], None]) -> Path:
    """Copy the data dir, and change the members in its database; they are given by their peer URL."""
    copy = copy_dir(root, folder / "default.etcd")
    path = copy / "member/snap/db"
    with open_database(path) as database:
        transaction = Transaction(database.image)
        members = [parse_member(bytes(value)) for _, value in transaction.items(MEMBERS)]
        change(transaction, {member.peer_urls[0]: member for member in members})
        data = applied(bytes(database.data), transaction.commit())
    path.write_bytes(data)
    return copy


def put(transaction: Transaction, member: Member) -> None:
    transaction.put(MEMBERS, member_id_text(member.id).encode(), member.as_json().encode())


def bring_back(transaction: Transaction, members: dict[str, Member]) -> None:
    ((key, _),) = list(transaction.items(REMOVED))
    transaction.delete(REMOVED, key)
    put(transaction, Member(id=int(key, 16), peer_urls=(GONE_URL,), name="gone"))


def promote(transaction: Transaction, members: dict[str, Member]) -> None:
    put(transaction, replace(members[LEARNER_URL], is_learner=False))


def forget(transaction: Transaction, members: dict[str, Member]) -> None:
    transaction.delete(MEMBERS, member_id_text(members[LEARNER_URL].id).encode())


def listed(root: Path) -> dict[str, bool]:
    """Let a real 3.6 start on the data dir and list its members: peer URL -> whether it is a learner."""
    with Server("3.6", root, *FLAGS) as server:
        members = server.etcdctl_json("member", "list")["members"]
    return {member["peerURLs"][0]: member.get("isLearner", False) for member in members}


def test_one_that_fits(stopped: Path, tmp_path: Path) -> None:
    assert found(stopped) == []
    members = listed(copy_dir(stopped, tmp_path / "default.etcd"))
    assert (members.get(LEARNER_URL), GONE_URL in members, len(members)) == (True, False, 2)


def test_a_removed_member_that_comes_back(stopped: Path, tmp_path: Path) -> None:
    # etcd issue 20967
    root = edited(stopped, tmp_path, bring_back)
    ((code, where),) = found(root)
    with open_database(root / "member/snap/db") as database:
        ids = [key.decode() for key, _ in Transaction(database.image).items(MEMBERS)]
    assert code == "datadir.zombie-member"
    assert any(where.endswith(f"member {number}") for number in ids)
    assert GONE_URL in listed(root)


def test_a_learner_that_the_database_takes_for_a_voter(stopped: Path, tmp_path: Path) -> None:
    # etcd issue 19557 has it the other way round, which the flag shows just as well
    root = edited(stopped, tmp_path, promote)
    assert [code for code, _ in found(root)] == ["datadir.learner-flag"]
    assert listed(root)[LEARNER_URL] is False


def test_a_member_that_the_database_does_not_know(stopped: Path, tmp_path: Path) -> None:
    root = edited(stopped, tmp_path, forget)
    assert [code for code, _ in found(root)] == ["datadir.member-missing"]
    assert LEARNER_URL not in listed(root)
