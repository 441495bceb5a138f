"""Leases as they stand in bucket ``lease``.

Key: the lease id, 8 bytes big-endian (int64 as two's complement).
Value: ``leasepb.Lease``, {ID=1, TTL=2, RemainingTTL=3}, all int64, zero fields left out.
Format: docs/formats/mvcc.md, "Buckets"; upstream: ``server/lease/lessor.go``, ``lease/leasepb/lease.proto`` @ v3.7.1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from etcdtool.errors import FormatError
from etcdtool.formats import wire

__all__ = ["Lease"]

_LEASE_ID = struct.Struct(">q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A granted lease.

    Attributes:
        id: int64; positive in practice.
        ttl_seconds: what was granted.
        remaining_ttl_seconds: what was left at the last checkpoint, 0 without one.
    """

    id: int
    ttl_seconds: int
    remaining_ttl_seconds: int = 0

    @classmethod
    def parse(cls, key: bytes | memoryview, value: bytes | memoryview, *, offset: int | None = None) -> Lease:
        """Read one pair of bucket ``lease``.

        Raises:
            FormatError: the key is not 8 bytes, the value does not parse, or the two disagree about the id.
        """
        if len(key) != _LEASE_ID.size:
            raise FormatError("lease key", f"{len(key)} bytes instead of {_LEASE_ID.size}", offset=offset)
        (lease_id,) = _LEASE_ID.unpack(key)
        message = wire.lease_pb2.Lease()
        try:
            message.ParseFromString(bytes(value))
        except wire.DecodeError:
            raise FormatError("lease", f"the value of lease {lease_id:x} is no leasepb.Lease", offset=offset) from None
        if lease_id != message.ID:
            raise FormatError("lease", f"filed under {lease_id:x}, holds id {message.ID:x}", offset=offset)
        return cls(id=lease_id, ttl_seconds=message.TTL, remaining_ttl_seconds=message.RemainingTTL)

    @property
    def key(self) -> bytes:
        """Its key in bucket ``lease``."""
        return _LEASE_ID.pack(self.id)

    def __bytes__(self) -> bytes:
        message = wire.lease_pb2.Lease(ID=self.id, TTL=self.ttl_seconds, RemainingTTL=self.remaining_ttl_seconds)
        return message.SerializeToString(deterministic=True)
