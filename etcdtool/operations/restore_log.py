"""The log and the ``.snap`` file of a restored member: a cluster whose first entries added its members.

Byte for byte what ``snapshot restore`` of each version writes; where 3.6 and 3.7 take members in random order, here
they come by id, as up to 3.5.
Upstream: ``saveWALAndSnap`` in ``etcdutl/snapshot/v3_snapshot.go`` @ v3.5.33, v3.6.14, v3.7.1,
``clientv3/snapshot/v3_snapshot.go`` @ v3.4.45.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcdtool.formats import wire
from etcdtool.formats.raft import ConfState, EntryType, HardState
from etcdtool.formats.snap import pack_snap_file, snap_name
from etcdtool.formats.wal import WalWriter, pack_metadata
from etcdtool.model.store_v2_json import StoredNode, dump
from etcdtool.model.store_v2_members import RAFT_ATTRIBUTES, member_path
from etcdtool.model.store_v2_tree import Tree

if TYPE_CHECKING:
    from etcdtool.model.bootstrap import Bootstrap
    from etcdtool.model.membership import Member
    from etcdtool.model.schema import Version

__all__ = ["TERM", "snap_file", "wal_file"]

TERM = 1
"""Of every entry in a restored log."""

_FIRST_WITH_CONF_STATE_IN_LOG = (3, 5)
_FIRST_WITH_MEMBERS_LOOKED_UP = (3, 6)
_FIRST_THAT_LEAVES_OUT_ZEROS = (3, 7)


def wal_file(cluster: Bootstrap, version: Version) -> tuple[str, bytes]:
    """Return name and bytes of the log, as far as there are records.

    Args:
        cluster: who is in it.
        version: whose way of writing is wanted.
    """
    omit_unset = version >= _FIRST_THAT_LEAVES_OUT_ZEROS
    writer = WalWriter(pack_metadata(cluster.local.id, cluster.cluster_id), omit_unset=omit_unset)
    commit = len(cluster.members)
    for index, member in enumerate(cluster.members, start=1):
        change = _conf_change(member, omit_unset=omit_unset)
        writer.save_entry(index, TERM, change, EntryType.CONF_CHANGE)
    writer.save_state(HardState(TERM, cluster.members[0].id, commit))
    has_conf_state = version >= _FIRST_WITH_CONF_STATE_IN_LOG
    writer.save_snapshot(commit, TERM, _conf_state(cluster) if has_conf_state else None)
    ((name, data),) = writer.files()
    return name, data


def snap_file(cluster: Bootstrap, version: Version) -> tuple[str, bytes]:
    """Return name and bytes of the ``.snap`` file, whose v2 store holds the members and nothing else."""
    commit = len(cluster.members)
    data = pack_snap_file(
        _store(cluster, version),
        index=commit,
        term=TERM,
        conf_state=_conf_state(cluster),
        omit_unset=version >= _FIRST_THAT_LEAVES_OUT_ZEROS,
    )
    return snap_name(TERM, commit), data


def _conf_change(member: Member, *, omit_unset: bool) -> bytes:
    change = wire.raft_pb2.ConfChange(
        type=wire.raft_pb2.ConfChangeAddNode,
        node_id=member.id,
        context=member.as_json().encode("utf-8", "surrogateescape"),
    )
    if not omit_unset:
        change.id = 0
    return change.SerializeToString()


def _conf_state(cluster: Bootstrap) -> ConfState:
    return ConfState(voters=tuple(member.id for member in cluster.members))


def _store(cluster: Bootstrap, version: Version) -> bytes:
    tree = Tree()
    created = []
    for member in cluster.members:
        path = f"{member_path(member.id)}/{RAFT_ATTRIBUTES}"
        event = tree.create(path, value=member.raft_attributes.as_json())
        created.append(StoredNode(path, event.node))
    stats = {"createSuccess": len(created)}
    if version >= _FIRST_WITH_MEMBERS_LOOKED_UP:
        stats["getsFail"] = 1  # it asks the empty store for its members first
    return dump(tree.root, tree.current_index, created=created, stats=stats)
