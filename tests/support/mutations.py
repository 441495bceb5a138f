"""Ways for bytes to go wrong, drawn from a random generator: one seed gives one damage."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


def mutated(data: bytes, rng: random.Random, *, times: int = 1) -> bytes:
    """Damage bytes so many times over; empty ones get a few."""
    image = bytearray(data)
    for _ in range(times):
        if not image:
            image += rng.randbytes(rng.randint(1, 40))
        rng.choice(_WAYS)(image, rng)
    return bytes(image)


def _flip(image: bytearray, rng: random.Random) -> None:
    image[rng.randrange(len(image))] ^= 1 << rng.randrange(8)


def _set(image: bytearray, rng: random.Random) -> None:
    image[rng.randrange(len(image))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _extreme(image: bytearray, rng: random.Random) -> None:
    size = rng.choice((2, 4, 8))
    number = rng.choice(_EXTREMES) & ((1 << 8 * size) - 1)
    at = rng.randrange(len(image))
    image[at : at + size] = number.to_bytes(size, rng.choice(("little", "big")))[: len(image) - at]


def _zero(image: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(image)) // 512 * 512 if len(image) > 2048 else rng.randrange(len(image))
    size = min(len(image) - at, rng.choice((1, 8, 512, 4096)))
    image[at : at + size] = bytes(size)


def _cut(image: bytearray, rng: random.Random) -> None:
    del image[rng.randrange(len(image)) :]


def _repeat(image: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(image))
    part = image[at : at + rng.choice((1, 4, 30, 512))]
    to = rng.randrange(len(image))
    if rng.random() < 0.5:
        image[to:to] = part * rng.choice((1, 1, 3))
    else:
        image[to : to + len(part)] = part


def _leave_out(image: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(image))
    del image[at : at + rng.choice((1, 4, 30, 512))]


_WAYS = (_flip, _flip, _set, _extreme, _zero, _cut, _repeat, _leave_out)
