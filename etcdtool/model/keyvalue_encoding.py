"""Write `etcdtool.model.keyvalue.KeyValue`, fast: a conversion and an import do it once a key.

Upstream writes fields in number order and leaves out zeros and empty bytes; so does `encode_key_value`.
Format: docs/formats/mvcc.md, "Value"; upstream: ``api/mvccpb/kv.proto`` @ v3.7.1.
"""

from __future__ import annotations

__all__ = ["encode_key_value", "encode_varint"]

_U64_MASK = (1 << 64) - 1
_TWO_BYTES = 1 << 14
_FOUR_BYTES = 1 << 28

# varints of one and two bytes, and the two bytes that start a longer one
_LAST, _BEFORE_OTHERS = ([bytes((bits | top,)) for bits in range(0x80)] for top in (0, 0x80))
_SHORT = [*_LAST, *(low + high for high in _LAST[1:] for low in _BEFORE_OTHERS)]
_CONTINUED = [low + high for high in _BEFORE_OTHERS for low in _BEFORE_OTHERS]


def encode_varint(number: int) -> bytes:
    """Return an int64 or uint64 as a varint; a negative one takes ten bytes."""
    if 0 <= number < _TWO_BYTES:
        return _SHORT[number]
    if 0 < number < _FOUR_BYTES:
        return _CONTINUED[number & (_TWO_BYTES - 1)] + _SHORT[number >> 14]
    number &= _U64_MASK
    out = bytearray()
    while number >= _TWO_BYTES:
        out += _CONTINUED[number & (_TWO_BYTES - 1)]
        number >>= 14
    return bytes(out + _SHORT[number])


def encode_key_value(  # noqa: PLR0917  the fields in their order; keywords cost a tenth
    key: bytes, create_revision: int, mod_revision: int, version: int, value: bytes, lease: int = 0
) -> bytes:
    """Return the bytes that a server stores for a put; with a key alone, for a delete.

    Half a microsecond for a key of ordinary size: it is called once a key of a conversion.
    """
    if not (key and create_revision and mod_revision and version and value):
        return _encode_sparse(key, create_revision, mod_revision, version, value, lease)
    key_size, value_size = len(key), len(value)
    mod = encode_varint(mod_revision)
    message = b"\x0a%b%b\x10%b\x18%b\x20%b\x2a%b%b" % (
        _SHORT[key_size] if key_size < _TWO_BYTES else encode_varint(key_size),
        key,
        mod if create_revision == mod_revision else encode_varint(create_revision),
        mod,
        _SHORT[version] if 0 < version < _TWO_BYTES else encode_varint(version),
        _SHORT[value_size] if value_size < _TWO_BYTES else encode_varint(value_size),
        value,
    )
    return message + b"\x30" + encode_varint(lease) if lease else message


def _encode_sparse(  # noqa: PLR0917  as above
    key: bytes, create_revision: int, mod_revision: int, version: int, value: bytes, lease: int
) -> bytes:
    message = b"\x0a" + encode_varint(len(key)) + key if key else b""
    for tag, number in ((b"\x10", create_revision), (b"\x18", mod_revision), (b"\x20", version)):
        if number:
            message += tag + encode_varint(number)
    if value:
        message += b"\x2a" + encode_varint(len(value)) + value
    if lease:
        message += b"\x30" + encode_varint(lease)
    return message
