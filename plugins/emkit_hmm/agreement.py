"""Whether settings and params are those of a model: the right kinds, for as many states as it has."""

from __future__ import annotations

import functools
import typing
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import tree
from emkit.errors import InvalidParamsError
from emkit.families import Family
from emkit.space import Fixed, spaces_of
from emkit_hmm.chains.base import Chain
from emkit_hmm.chains.pattern import Pattern
from emkit_hmm.order import part_at
from emkit_hmm.params import HiddenMarkovParams

Array = NDArray[np.float64]

#: What messages show.
EXAMPLES = {Family: "emkit.families.Poisson()", Chain: "emkit_hmm.Stationary()"}
ADVICE = "Give params of this very model."


def as_family(value: Any) -> Family[Any]:
    """Return the family of the emissions; TypeError if it is none."""
    family: Family[Any] = _instance(value, "emission", Family)
    return family


def as_chain(value: Any) -> Chain[Any]:
    """Return the law of the path; TypeError if it is none."""
    chain: Chain[Any] = _instance(value, "chain", Chain)
    return chain


def _instance(value: Any, name: str, kind: type[Any]) -> Any:
    if isinstance(value, kind):
        return value
    found = f"the class itself: write {value.__name__}()" if isinstance(value, type) else f"{value!r}"
    msg = f"{name} must be a {kind.__name__}, such as {EXAMPLES[kind]}; it is {found}."
    raise TypeError(msg)


def as_flag(value: Any) -> bool:
    """Return whether only the chain is estimated."""
    if not isinstance(value, bool | np.bool_):
        msg = f"is_emission_fixed must be True or False; it is {value!r}."
        raise TypeError(msg)
    return bool(value)


def require_patterns(chain: Chain[Any], n_states: int) -> None:
    """Raise ValueError if a pattern of the start or of the transitions is for another number of states."""
    for name, shape in (("start", (n_states,)), ("transitions", (n_states, n_states))):
        pattern = getattr(chain, name, None)
        if isinstance(pattern, Pattern):
            pattern.require_shape(shape, f" of chain.{name}")


def require_params(n_states: int, chain: Chain[Any], emission: Family[Any], params: Any) -> None:
    """Raise InvalidParamsError unless params are of the kinds of chain and emission, and the chain's for all states.

    It is called at every E-step, so it looks at types and shapes alone.
    """
    if not isinstance(params, HiddenMarkovParams):
        msg = f"The params must be HiddenMarkovParams, but are {type(params).__name__}. {ADVICE}"
        raise InvalidParamsError(msg)
    _require_kind("chain", chain, params.chain)
    _require_kind("emission", emission, params.emission)
    durations = getattr(chain, "durations", None)
    if durations is not None:
        _require_kind("chain.durations", durations, params.chain.durations)
    for name, axes in chain.label_axes(params.chain).items():
        shape = np.shape(part_at(params.chain, tuple(name.split("."))))
        for axis in (axes,) if isinstance(axes, int) else axes:
            if axis >= len(shape) or shape[axis] != n_states:
                expected = f"have n_states={n_states} as the length of axis {axis}"
                raise InvalidParamsError(_misfit(f"chain.{name}", expected, shape))


def _require_kind(name: str, owner: Any, params: Any) -> None:
    declared: Any = type(owner)
    kind = params_class(declared)
    if kind is not None and not isinstance(params, kind):
        msg = (
            f"{name} must be {kind.__name__}, the params of {type(owner).__name__}, but is {type(params).__name__}. "
            f"{ADVICE}"
        )
        raise InvalidParamsError(msg)


def require_components(emission: Family[Any], params: Any, n_components: int) -> None:
    """Raise InvalidParamsError if no field of the emissions' params has a row for each distribution."""
    if any(np.shape(leaf)[:1] == (n_components,) for _, leaf in tree.leaves(params)):
        return
    found = None if emission.component_fields(params, n_components) else _first_field(emission, params)
    if found is not None:
        expected = f"have one row for each of {n_components} distributions, shape ({n_components}, ...)"
        raise InvalidParamsError(_misfit(f"emission.{found[0]}", expected, found[1]))


def require_densities(emission: Family[Any], params: Any, density: Array, n_components: int) -> None:
    """Raise InvalidParamsError unless log-densities (n_samples, n_components) are those of all distributions."""
    if density.shape[1] != n_components:
        require_components(emission, params, n_components)
        raise InvalidParamsError(_misfit("emission", f"hold {n_components} distributions", density.shape[1:]))


def _first_field(emission: Family[Any], params: Any) -> tuple[str, tuple[int, ...]] | None:
    """Return the name and the shape of the first field that distributions do not share."""
    shared, spaces = emission.shared_fields(params), spaces_of(emission, params)
    own = (
        (tree.path_name(path), np.shape(leaf))
        for path, leaf in tree.leaves(params)
        if np.ndim(leaf) and not isinstance(spaces[path], Fixed)
    )
    return next(((name, shape) for name, shape in own if name not in shared), None)


def _misfit(name: str, expected: str, shape: tuple[int, ...]) -> str:
    return f"{name} must {expected}, but has shape {shape}. {ADVICE}"


@functools.cache
def params_class(owner: Any) -> type[Any] | None:
    """Return the class of params that a family or chain declares, as in ``class Markov(Chain[MarkovParams])``.

    None where it declares none, as families of three methods need not.

    Examples
    --------
    >>> from emkit.families import Poisson
    >>> params_class(Poisson).__name__
    'PoissonParams'
    """
    for base in getattr(owner, "__orig_bases__", ()):
        for argument in typing.get_args(base):
            if attrs.has(argument):
                return typing.cast("type[Any]", argument)
    return None
