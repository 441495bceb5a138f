"""Varints by column, against protobuf's own encoder and decoder."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf.internal import decoder, encoder
from hypothesis import given
from hypothesis import strategies as st

from etcdtool.formats import varints


def words_of(strings: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    padded = b"".join(string[:16].ljust(16, b"\x55") for string in strings)
    both = np.frombuffer(padded, dtype="<u8").reshape(-1, 2)
    return both[:, 0].copy(), both[:, 1].copy()


def encoded(value: int) -> bytes:
    return bytes(encoder._VarintBytes(value))


EDGES = [0, *(1 << bits for bits in range(64)), *((1 << bits) - 1 for bits in range(1, 65))]


def test_every_length_as_protobuf_writes_it() -> None:
    strings = [encoded(value) for value in EDGES]
    values, lengths = varints.decode_wide(*words_of(strings))
    assert values.tolist() == EDGES
    assert lengths.tolist() == [len(string) for string in strings]
    assert varints.is_canonical(values, lengths).all()


def test_one_word_gives_up_on_the_longer_ones() -> None:
    values, lengths = varints.decode(words_of([encoded(value) for value in EDGES])[0])
    for value, got, length in zip(EDGES, values.tolist(), lengths.tolist(), strict=True):
        assert (got, length) == (value, len(encoded(value))) if value < 1 << 56 else length == 0


@pytest.mark.parametrize("text", [b"\x80\x00", b"\x81\x80\x00", b"\xff\x80\x80\x80\x00", b"\x80" * 9 + b"\x00"])
def test_a_longer_form_than_needed_is_not_canonical(text: bytes) -> None:
    values, lengths = varints.decode_wide(*words_of([text]))
    assert lengths.tolist() == [len(text)]
    assert not varints.is_canonical(values, lengths).any()


@pytest.mark.parametrize("text", [b"\xff" * 10 + b"\x01", b"\xff" * 9 + b"\x02", b"\xff" * 9 + b"\x7f", b"\x80" * 16])
def test_what_does_not_fit_into_64_bits_is_not_decoded(text: bytes) -> None:
    values, lengths = varints.decode_wide(*words_of([text]))
    assert lengths.tolist() == [0]
    assert not varints.is_canonical(values, lengths).any()


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=20))
def test_any_bytes_decode_as_protobuf_reads_them(strings: list[bytes]) -> None:
    values, lengths = varints.decode_wide(*words_of(strings))
    for string, value, length in zip(strings, values.tolist(), lengths.tolist(), strict=True):
        stop = next((index for index, byte in enumerate(string) if byte < 0x80), 16)
        if stop >= 10 or (stop == 9 and string[9] > 1):
            assert length == 0
        else:
            assert (value, length) == decoder._DecodeVarint(string, 0)
