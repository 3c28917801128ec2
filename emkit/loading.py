"""Reading a saved result back: every field is checked before anybody computes with it."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import Any

import attrs
import numpy as np

from emkit import registry, storage
from emkit.errors import FormatError
from emkit.history import History
from emkit.result import EMResult, Start, Status
from emkit.space.assignment import check_params

#: What kind each field of a result is.
_KINDS: dict[str, type | tuple[type, ...]] = {
    "log_likelihood": float,
    "objective": float,
    "status": Status,
    "history": History,
    "message": str,
    "notes": tuple,
    "n_iter": int,
    "n_e_steps": int,
    "n_rejected": int,
    "rate": float,
    "gap": float,
    "n_observations": (float, int, type(None)),
    "n_parameters": int,
    "starts": tuple,
    "elapsed": float,
}


def load(path: str | PathLike[str], model: type | None = None, known: Iterable[type] = ()) -> EMResult[Any]:
    """Return the result saved in a file.

    Parameters
    ----------
    path : path
    model : type, optional
        Class of the model. By default the registered class of the name in the file; nothing is ever imported
        because a file says so.
    known : iterable of types, optional
        Further classes that the params or the model's configuration may consist of, beyond those visible in the
        module that defines the model.

    Raises
    ------
    FormatError
        If the file is cut, edited, or not one of emkit's.
    """
    if model is not None and not isinstance(model, type):
        msg = f"model must be a class of models; it is {model!r}."
        raise TypeError(msg)
    name = storage.peek(path).get("model_name")
    if model is None:
        if not isinstance(name, str):
            msg = f"The model in {path} is not registered under a name: give its class, emkit.load(path, model=...)."
            raise FormatError(msg)
        model = registry.load_model(name)
    types = {*storage.known_types(model), *known, History, Status, Start}
    fields = storage.read(path, types)
    try:
        result = EMResult(**{field: value for field, value in fields.items() if field != "model_name"})
        _check(result, model)
    except (TypeError, AttributeError, ValueError) as error:
        msg = f"{path} does not hold a sound fit result: {error}"
        raise FormatError(msg) from error
    return result


def _check(result: EMResult[Any], model: type) -> None:
    """Raise TypeError or ValueError unless every field is what a fit would have put there."""
    for name, kinds in _KINDS.items():
        value = getattr(result, name)
        if not isinstance(value, kinds) or isinstance(value, bool):
            msg = f"{name} is {value!r}, of type {type(value).__name__}."
            raise TypeError(msg)
    if not isinstance(result.model, model):
        msg = f"its model is {result.model!r}, not a {model.__name__}."
        raise TypeError(msg)
    for field in attrs.fields(History):
        column = getattr(result.history, field.name)
        if np.asarray(column).dtype.kind not in "fi" or np.shape(column) != (result.n_iter + 1,):
            msg = f"a history of {result.n_iter} steps has {field.name} of shape {np.shape(column)}."
            raise ValueError(msg)
    if not all(isinstance(note, str) for note in result.notes) or not all(isinstance(s, Start) for s in result.starts):
        msg = "its notes or starts are of another kind."
        raise TypeError(msg)
    check_params(result.model, result.params)
