"""What the faces share around a fit: its messages speak of columns as the user knows them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import EMResult, fit
from emkit.arrays import column_names
from emkit.errors import EmkitError, LikelihoodDecreasedError
from emkit_mvn.model import MultivariateNormal
from emkit_mvn.student.model import MultivariateT

Array = NDArray[np.float64]

#: What a model says of its columns, such as "Column 3" or "columns 0 and 3, 1 and 2".
_COLUMNS = re.compile(r"\b([Cc]olumns? )(\d+(?:(?:, | and )\d+)*)\b")


def fit_columns(
    model: MultivariateNormal | MultivariateT, x: Array, weights: Array | None, labels: Sequence[str], **settings: Any
) -> EMResult[Any]:
    """Return :func:`emkit.fit` of a model of rows with gaps; where the objective fell, the best point before.

    Errors and notes of the model number the columns it is given. A face may have left columns out, or put two tables
    side by side.

    Parameters
    ----------
    model : MultivariateNormal | MultivariateT
    x : (n_samples, n_features)
    weights : (n_samples,) or None
    labels : (n_features,)
        What the user calls these columns.
    **settings
        As :func:`emkit.fit` takes them.
    """
    data: Any = x if weights is None else (x, weights)
    with naming(labels):
        if model.leaf_rows is None or len(x) <= model.leaf_rows:
            # One leaf: prepared here it is prepared once, not for the start and for the climb.
            data = model.prepare(data)
        try:
            result: EMResult[Any] = fit(model, data, **settings)
        except LikelihoodDecreasedError as error:
            result = error.result
    # The notes of the driver name entries of params, which have no other names.
    own = {note: named(note, labels) for note in model.notes(result.params)}
    return attrs.evolve(result, notes=tuple(own.get(note, note) for note in result.notes))


def column_labels(table: Any, columns: Sequence[int] | NDArray[np.intp]) -> list[str]:
    """Return what messages call some columns of a table: the names that it has for them, or else their positions."""
    names = column_names(table)
    return [repr(int(j) if names is None else names[j]) for j in columns]


@contextlib.contextmanager
def naming(labels: Sequence[str]) -> Iterator[None]:
    """Around what a model does with columns: the message of an error has their labels for their positions."""
    try:
        yield
    except (EmkitError, ValueError) as error:
        error.args = tuple(named(part, labels) if isinstance(part, str) else part for part in error.args)
        raise


def named(sentence: str, labels: Sequence[str]) -> str:
    """Return a sentence in which positions of columns have become labels."""

    def labelled(match: re.Match[str]) -> str:
        return match[1] + re.sub(r"\d+", lambda position: labels[int(position[0])], match[2])

    return _COLUMNS.sub(labelled, sentence)
