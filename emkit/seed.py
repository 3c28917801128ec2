"""From where the random streams of a fit come, in a form that can be kept."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import attrs
import numpy as np
from numpy.random import Generator, SeedSequence

from emkit.errors import FormatError

#: The bit generators of numpy, by name.
BIT_GENERATORS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64)
}


@attrs.frozen
class Seed:
    """What makes the streams that a fit draws from its ``rng``.

    Attributes
    ----------
    entropy, spawn_key : tuple of int
        Of the SeedSequence at the root.
    n_children : int
        How many streams had been drawn from it before.
    pool_size : int
        Of the same SeedSequence.
    bit_generator : str
        Of the Generator that was given; empty where none was.
    """

    entropy: tuple[int, ...]
    spawn_key: tuple[int, ...]
    n_children: int
    pool_size: int
    bit_generator: str = ""

    @classmethod
    def of(cls, rng: Any) -> Seed:
        """Return the seed of what a fit takes as ``rng``, whose state is left as it is.

        Raises
        ------
        TypeError
            If ``rng`` is something else, or a Generator that was not made from a seed.
        """
        require_source(rng)
        source: Any = rng.bit_generator.seed_seq if isinstance(rng, Generator) else rng
        if isinstance(rng, Generator) and not isinstance(source, SeedSequence):
            msg = "A checkpoint needs an rng made by numpy.random.default_rng, from which streams can be spawned."
            raise TypeError(msg)
        root = source if isinstance(source, SeedSequence) else SeedSequence(source)
        return cls(
            _words(root.entropy),
            _words(root.spawn_key),
            root.n_children_spawned,
            root.pool_size,
            type(rng.bit_generator).__name__ if isinstance(rng, Generator) else "",
        )

    def rng(self) -> Generator | SeedSequence:
        """Return a source of the same streams."""
        entropy = self.entropy[0] if len(self.entropy) == 1 else list(self.entropy)
        root = SeedSequence(
            entropy, spawn_key=self.spawn_key, pool_size=self.pool_size, n_children_spawned=self.n_children
        )
        return Generator(BIT_GENERATORS[self.bit_generator](root)) if self.bit_generator else root

    def is_of(self, number: int) -> bool:
        """Return whether that number was the ``rng``."""
        return (self.entropy, self.spawn_key, self.bit_generator) == ((int(number),), (), "")

    def plain(self) -> dict[str, Any]:
        """Return what a file keeps."""
        return attrs.asdict(self, recurse=False)

    @classmethod
    def from_plain(cls, kept: Any) -> Seed:
        """Return the seed in a file; raise FormatError if there is none."""
        try:
            seed = cls(**kept)
            seed.rng()
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            msg = f"It does not hold the seed of a fit: {error}."
            raise FormatError(msg) from error
        return seed


def require_source(rng: Any) -> None:
    """Raise TypeError unless a fit can draw random streams from ``rng``."""
    if rng is not None and not isinstance(rng, Generator | SeedSequence | Integral):
        msg = f"rng must be None, an int, a numpy Generator or a SeedSequence; it is {rng!r}."
        raise TypeError(msg)


def _words(numbers: Any) -> tuple[int, ...]:
    if numbers is None:
        return ()
    return (int(numbers),) if np.ndim(numbers) == 0 else tuple(int(number) for number in numbers)
