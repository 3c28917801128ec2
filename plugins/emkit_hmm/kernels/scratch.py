"""Memory that kernels borrow and give back: fresh pages cost as much as the arithmetic on them."""

from __future__ import annotations

from threading import Lock

import numpy as np

from emkit_hmm.kernels.columns import Array

#: Larger arrays (in entries) are not kept: what they would spare is little beside what they would hold.
LARGEST_KEPT = 2**22


class Scratch:
    """Flat arrays to borrow, of undefined content; several threads may."""

    def __init__(self) -> None:
        self._free: list[Array] = []
        self._lock = Lock()

    def __reduce__(self) -> tuple[type[Scratch], tuple[()]]:
        """Copies and pickles begin empty."""
        return Scratch, ()

    def borrow(self, size: int) -> Array:
        """Return a flat array of ``size`` entries."""
        with self._lock:
            fitting = [k for k, flat in enumerate(self._free) if flat.size >= size]
            if fitting:
                return self._free.pop(min(fitting, key=lambda k: self._free[k].size))[:size]
        return np.empty(size)

    def give_back(self, *flats: Array) -> None:
        """Take back arrays that nobody looks at any more."""
        with self._lock:
            for flat in flats:
                whole = flat if flat.base is None else flat.base
                if isinstance(whole, np.ndarray) and whole.size <= LARGEST_KEPT:
                    self._free.append(whole)
