"""How a face is fitted: its settings in, a result out, and what went wrong as warnings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import attrs
import numpy as np

from emkit import EMResult, Tolerance, fit
from emkit.acceleration import Accelerator
from emkit.arrays import whole_number
from emkit.errors import InvalidParamsError, LikelihoodDecreasedError
from emkit.estimator import rng_of, warn_about
from emkit_hmm.model import HiddenMarkovModel
from emkit_hmm.order import in_order
from emkit_hmm.sequences import Sequences


class FitSettings(Protocol):
    """The parameters of a face that say how to fit."""

    n_iter: int
    tol: float | Tolerance
    n_init: int
    random_state: Any
    verbose: Any
    accelerate: str | Accelerator | None


@contextlib.contextmanager
def in_words_of(words: Mapping[str, str]) -> Iterator[None]:
    """Around what checks params: errors call fields as a face calls them."""
    try:
        yield
    except InvalidParamsError as error:
        raise InvalidParamsError(reworded(str(error), words)) from None


def reworded(text: str, words: Mapping[str, str]) -> str:
    """Return a text in other words, the longest first: "emission.rates" is no part of "emission.rates_of_zeros"."""
    for ours in sorted(words, key=len, reverse=True):
        text = text.replace(ours, words[ours])
    return text


def fit_with_settings(
    face: FitSettings,
    model: HiddenMarkovModel,
    data: Sequences,
    *,
    has_names: bool,
    words: Mapping[str, str] = MappingProxyType({}),
) -> EMResult[Any]:
    """Return the fit that a face's settings ask for, or the best point before the objective fell; warn of the end.

    States come in an order that does not depend on the start, unless they have names already: from what was set by
    hand, or is known. ``words`` are those of the face for fields of the params, in messages.
    """
    with in_words_of(words):
        result = _fitted(
            model,
            data,
            accelerate=face.accelerate,
            tol=face.tol,
            max_iter=whole_number(face.n_iter, "n_iter"),
            n_starts=whole_number(face.n_init, "n_init"),
            rng=source_of(face.random_state),
            progress=bool(face.verbose),
        )
    result = result if has_names else in_order(result)
    # With one sequence the most likely start is always certain, and transitions never seen are common.
    worth = tuple(reworded(note, words) for note in result.notes if not (note.startswith("chain.") and "bound" in note))
    warn_about(attrs.evolve(result, notes=worth), type(face).__name__, stacklevel=4)
    return result


def source_of(random_state: Any) -> Any:
    """Return where randomness comes from; None stands for numpy's global generator, which ``np.random.seed`` sets."""
    if random_state is None:
        return int(np.random.randint(np.iinfo(np.int32).max))  # noqa: NPY002 - that very generator
    return rng_of(random_state)


def _fitted(model: HiddenMarkovModel, data: Sequences, **settings: Any) -> EMResult[Any]:
    try:
        return fit(model, data, **settings)
    except LikelihoodDecreasedError as error:
        result: EMResult[Any] = error.result
        return result
