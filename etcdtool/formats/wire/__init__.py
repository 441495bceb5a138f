"""Protocol buffer messages of etcd, under a package name of our own so that other etcd clients can be loaded too.

``wire.kv_pb2`` and its like, and ``wire.DecodeError``, are imported when they are first used: most files are read
without them, and protobuf takes longer to load than a small file to check.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.message import DecodeError

    from etcdtool.formats.wire import (
        auth_pb2,
        etcdserver_pb2,
        kubernetes_pb2,
        kv_pb2,
        lease_pb2,
        raft_internal_pb2,
        raft_pb2,
        rpc_pb2,
        snap_pb2,
        wal_pb2,
    )

__all__ = [
    "DecodeError",
    "auth_pb2",
    "etcdserver_pb2",
    "kubernetes_pb2",
    "kv_pb2",
    "lease_pb2",
    "raft_internal_pb2",
    "raft_pb2",
    "rpc_pb2",
    "snap_pb2",
    "wal_pb2",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "DecodeError":
        found = import_module("google.protobuf.message").DecodeError
    else:
        found = import_module(f"{__name__}.{name}")
    globals()[name] = found
    return found
