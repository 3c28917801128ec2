"""What a model is: an E-step, an M-step, and whatever else it can do.

A model is a frozen object holding what its user chooses (number of components, priors). It meets three other things:

* **data**: any tree of arrays;
* **params**: what EM learns; a frozen class of arrays, each field in a declared :mod:`emkit.space`;
* **statistics**: what the E-step hands to the M-step, expected sufficient statistics that add over the data.

Only ``e_step`` and ``m_step`` are needed. :data:`CAPABILITIES` lists what else a model may offer and what that gives.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import attrs
import numpy as np

from emkit.errors import MissingCapabilityError

Data_contra = TypeVar("Data_contra", contravariant=True)
Params = TypeVar("Params")
Statistics = TypeVar("Statistics")


@attrs.frozen(eq=False)
class EStep(Generic[Statistics]):
    """What one pass over the data gives. All three parts add over the data.

    Attributes
    ----------
    statistics : tree of arrays
        Expected sufficient statistics at the params of the E-step.
    log_likelihood : float
        Of the data at those params; natural logarithm, summed over observations.
    n_observations : float, optional
        Number of observations, or the sum of their weights. Without it a result has no ``bic``.
    rounding : float
        By how much rounding may have moved ``log_likelihood``, if by more than a sum of that size does: densities
        near a singularity are less exact than sums. A fall within it is none.
    """

    statistics: Statistics
    log_likelihood: float
    n_observations: float | None = None
    rounding: float = 0.0


class SupportsEM(Protocol[Data_contra, Params]):
    """The least that :func:`emkit.fit` accepts: any object with these two methods."""

    def e_step(self, params: Params, data: Data_contra, /) -> Any:
        """Return statistics and log-likelihood, as an EStep, an object with those attributes, or a pair."""
        ...

    def m_step(self, params: Params, statistics: Any, /) -> Params:
        """Return the params that maximise the expected complete-data log-likelihood (plus log-prior)."""
        ...


class LatentModel(Protocol[Data_contra, Params, Statistics]):
    """Base class of models: two methods to write, defaults for the rest.

    Every method is pure: arguments are never modified and randomness comes only through ``rng``.

    The driver climbs ``log_likelihood + log_prior``. For exact EM the M-step maximises

        Q(params') = E[log p(data, latent | params') | data, params] + log_prior(params')

    and the E-step returns the expectations which that needs. Any M-step that raises Q (ECM, GEM) keeps the climb
    monotone too; ``m_step`` receives the previous params for that purpose.
    """

    #: How many rows make a leaf, if rows are independent; None says nothing, and then data are never cut.
    leaf_rows: ClassVar[int | None] = None
    #: How many sequences make a leaf, if data are sequences: only a list is cut then, between its members.
    leaf_sequences: ClassVar[int | None] = None
    #: Whether the objective rises with every step. Stochastic variants say False.
    monotone: ClassVar[bool] = True
    #: What ``log_likelihood`` is, when it is a restricted likelihood or a bound.
    objective_name: ClassVar[str] = "log-likelihood"
    #: The class that shows this model as scikit-learn estimators look, if there is one.
    face: ClassVar[type | None] = None

    @abstractmethod
    def e_step(self, params: Params, data: Data_contra) -> EStep[Statistics]:
        """Return expected statistics and the log-likelihood of ``data``, both at ``params``."""

    @abstractmethod
    def m_step(self, params: Params, statistics: Statistics) -> Params:
        """Return the maximiser of the expected log-posterior; ``params`` are the previous ones."""

    def initialize(self, data: Data_contra, rng: np.random.Generator) -> Params:
        """Return starting params."""
        raise MissingCapabilityError(_missing(self, "initialize"))

    def log_likelihood(self, params: Params, data: Data_contra) -> float:
        """Return the log-likelihood of ``data`` at ``params``, in nats, summed over observations."""
        return as_number(as_e_step(self, self.e_step(params, data)).log_likelihood, f"{type(self).__name__}.e_step")

    def log_prior(self, params: Params) -> float:
        """Return the log-density of the prior at ``params``, up to a constant; zero for maximum likelihood."""
        return 0.0


@attrs.frozen
class Capability:
    """Something optional that a model may offer."""

    name: str
    signature: str
    gives: str


#: Everything optional, in one place. A model offers a capability by having an attribute of that name.
CAPABILITIES: tuple[Capability, ...] = (
    Capability("initialize", "initialize(data, rng) -> params", "starting params, and so several starts"),
    Capability(
        "starts",
        "starts(data, rng, n) -> iterable of params",
        "several starts that know of each other, instead of n calls of initialize",
    ),
    Capability("log_likelihood", "log_likelihood(params, data) -> float", "a check of the E-step's own"),
    Capability("log_prior", "log_prior(params) -> float", "MAP: the driver climbs log_likelihood + log_prior"),
    Capability("space", "space(params) -> {field: Space}", "the spaces of this model's params: masks, floors"),
    Capability("leaf_rows", "leaf_rows: int | None", "rows are independent, and so many make a leaf"),
    Capability("leaf_sequences", "leaf_sequences: int | None", "only a list is cut, between members"),
    Capability("prepare", "prepare(leaf) -> leaf", "once per leaf: validate, group, index; idempotent"),
    Capability("posterior", "posterior(params, data)", "the distribution of the latent variables"),
    Capability("sample", "sample(params, n, rng) -> data", "simulation, parametric bootstrap of complete rows"),
    Capability(
        "simulate",
        "simulate(params, data, rng) -> data",
        "data like these drawn from the params: the same gaps, lengths, covariates; their parametric bootstrap",
    ),
    Capability(
        "resample",
        "resample(data, rng) -> data",
        "the nonparametric bootstrap of data that are not rows: counted values, say",
    ),
    Capability(
        "label_axes",
        "label_axes(params) -> {field: axis or axes}",
        "which axes run over interchangeable components: replicates of a bootstrap are put in one order",
    ),
    Capability(
        "complete_score",
        "complete_score(params, statistics) -> gradient, in the shape of params",
        "the exact score (Fisher's identity): polish, fast standard errors",
    ),
    Capability(
        "score_contributions",
        "score_contributions(params, data) -> gradients like params, rows first",
        "sandwich and outer-product standard errors, the exact score",
    ),
    Capability("sample_e_step", "sample_e_step(params, data, rng) -> EStep", "stochastic EM, Monte-Carlo EM and SAEM"),
    Capability(
        "temperature",
        "e_step(params, data, temperature=1.0) -> EStep",
        "deterministic annealing; the log-likelihood is then the tempered one",
    ),
    Capability("escape", "escape(params, statistics) -> iterable of params", "where to look for a higher hill"),
    Capability("n_parameters", "n_parameters(params) -> int", "the count, where constraints do not factor by field"),
    Capability("notes", "notes(params) -> sequence of str", "sentences for result.notes: an empty component"),
    Capability("plot", "plot(params, data, ax, columns)", "a picture of the fit over the data"),
    Capability("face", "face: type", "the class that shows the model as scikit-learn estimators look"),
    Capability("monotone", "monotone: bool", "False: the objective may fall (stochastic variants)"),
    Capability("objective_name", "objective_name: str", "what log_likelihood is, if not that"),
)

_BY_NAME = {capability.name: capability for capability in CAPABILITIES}


def _missing(model: object, name: str) -> str:
    capability = _BY_NAME[name]
    hint = " or give starting params" if name == "initialize" else ""
    return f"{type(model).__name__} has no `{name}`: define {capability.signature}{hint}. It gives {capability.gives}."


def offers(model: object, name: str) -> bool:
    """Return whether a model has a capability of its own (a default that only raises does not count).

    A class whose objects differ in what they can do names in ``lacks`` what one of them cannot.
    """
    if name in getattr(model, "lacks", ()):
        return False
    if name == "temperature":
        return "temperature" in inspect.signature(model.e_step).parameters  # type: ignore[attr-defined]
    attribute = getattr(type(model), name, None)
    if attribute is None:
        return getattr(model, name, None) is not None
    return attribute is not getattr(LatentModel, name, None)


def require(model: object, name: str) -> Callable[..., Any]:
    """Return a model's capability, or raise MissingCapabilityError with its signature."""
    if not offers(model, name):
        raise MissingCapabilityError(_missing(model, name))
    method: Callable[..., Any] = getattr(model, name)
    return method


def check_is_model(model: object) -> None:
    """Raise TypeError unless ``model`` has an E-step and an M-step."""
    for name, signature in (("e_step", "e_step(params, data)"), ("m_step", "m_step(params, statistics)")):
        if not callable(getattr(model, name, None)):
            hint = " An instance is expected, not the class." if isinstance(model, type) else ""
            if name == "e_step" and callable(getattr(model, "sample_e_step", None)):
                hint = " It has sample_e_step: use emkit.fit_stochastic."
            msg = f"A model needs a method {signature}; {model!r} has none.{hint}"
            raise TypeError(msg)
    if isinstance(model, type):
        msg = f"A model is an instance, but the class {model.__name__} was given: write {model.__name__}(...)."
        raise TypeError(msg)


def as_e_step(model: object, answer: Any) -> EStep[Any]:
    """Return what a model's ``e_step`` gave as an EStep: an object with the two attributes, or a pair, will do."""
    if isinstance(answer, EStep):
        return answer
    if hasattr(answer, "statistics") and hasattr(answer, "log_likelihood"):
        n_observations, rounding = getattr(answer, "n_observations", None), getattr(answer, "rounding", 0.0)
        return EStep(answer.statistics, answer.log_likelihood, n_observations, rounding)
    if isinstance(answer, tuple) and len(answer) == 2:
        return EStep(*answer)
    msg = (
        f"{type(model).__name__}.e_step must return emkit.EStep(statistics, log_likelihood) or such a pair; "
        f"it returned {type(answer).__name__}."
    )
    raise TypeError(msg)


def as_number(value: Any, source: str) -> float:
    """Return a log-likelihood, a log-prior or a count as a float, or say whose answer is none."""
    try:
        if np.ndim(value) == 0 and not isinstance(value, str | bool):
            return float(value)
    except (TypeError, ValueError):
        pass
    msg = f"{source} must give a real number here; it gave {value!r}. An EStep is (statistics, log_likelihood)."
    raise TypeError(msg)
