"""The parts of a product, checked: which columns belong to which family."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from emkit.families.base import Family

#: What messages show.
EXAMPLE = "[(0, Poisson()), ([1, 2], Gaussian())]"


def as_parts(parts: Any) -> tuple[tuple[tuple[int, ...], Family[Any]], ...]:
    """Return pairs of columns and a family.

    Raises
    ------
    TypeError
        If ``parts`` is no list of such pairs.
    ValueError
        If no column is named, one is named twice, or one is negative.
    """
    if isinstance(parts, str | Family) or not isinstance(parts, Iterable):
        msg = f"parts must be a list of pairs of columns and a Family, such as {EXAMPLE}; found {parts!r}."
        raise TypeError(msg)
    found, taken = [], set[int]()
    for i, part in enumerate(parts):
        if not (isinstance(part, tuple | list) and len(part) == 2 and isinstance(part[1], Family)):
            msg = f"parts[{i}] must be a pair of columns and a Family, such as (0, Poisson()); found {part!r}."
            raise TypeError(msg)
        numbers, family = _as_columns(part[0], i), part[1]
        for number in numbers:
            if number < 0 or number in taken:
                what = "negative" if number < 0 else "taken by an earlier part"
                msg = f"parts[{i}] names column {number}, which is {what}. Give each column to one part, from 0 on."
                raise ValueError(msg)
            taken.add(number)
        found.append((numbers, family))
    if not taken:
        msg = f"A product needs at least one part with a column, such as {EXAMPLE}."
        raise ValueError(msg)
    return tuple(found)


def _as_columns(columns: Any, i: int) -> tuple[int, ...]:
    """Return the numbers of the columns of part i, at least one."""
    try:
        array = np.asarray(columns)
    except ValueError:
        array = np.array(None)
    if array.dtype.kind not in "iu" or array.ndim > 1 or array.size == 0:
        msg = f"parts[{i}] must name its columns by whole numbers, such as 0 or [1, 2]; found {columns!r}."
        raise TypeError(msg)
    return tuple(int(column) for column in np.atleast_1d(array))
