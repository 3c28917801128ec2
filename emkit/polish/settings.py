"""What the caller of a fit chooses about its polish."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from emkit.information.score import offers_score
from emkit.model import require

METHODS = ("lbfgs", "newton")


def _positive(instance: object, attribute: Any, value: Any) -> None:
    if not value > 0:
        msg = f"{attribute.name} of a Polish must be positive; it is {value!r}."
        raise ValueError(msg)


def _known(instance: object, attribute: Any, value: Literal["lbfgs", "newton"]) -> None:
    if value not in METHODS:
        msg = f"{attribute.name} of a Polish must be one of {sorted(METHODS)}; it is {value!r}."
        raise ValueError(msg)


@attrs.frozen
class Polish:
    """Steps on the exact score in place of the slow last part of EM; ``polish=`` of :func:`emkit.fit`.

    They begin once, when an accepted step has gained little, and EM goes on from where they end. The result is taken
    only if it is higher.

    Parameters
    ----------
    method : {"lbfgs", "newton"}
        ``"lbfgs"``, one E-step a step: quasi-Newton with the EM step in the place of the first inverse Hessian.
        ``"newton"``, 2 E-steps for each free parameter whenever the observed information is measured; L-BFGS
        goes on where that is not positive definite. For few parameters.
    hand_over : float
        Largest gain of an accepted step, in nats, at which EM hands over.
    max_e_steps : int
        E-steps of the polish.
    memory : int
        How many steps L-BFGS remembers.
    """

    method: Literal["lbfgs", "newton"] = attrs.field(default="lbfgs", validator=_known)
    hand_over: float = attrs.field(default=1e-2, validator=_positive)
    max_e_steps: int = attrs.field(default=200, validator=_positive)
    memory: int = attrs.field(default=20, validator=_positive)


def as_polish(polish: str | Polish | None, model: object) -> Polish | None:
    """Return the polish of a name, or the object itself.

    Raises
    ------
    ValueError
        If the name is unknown.
    MissingCapabilityError
        If the model cannot tell its score.
    """
    if polish is None:
        return None
    if not isinstance(polish, Polish) and polish not in METHODS:
        msg = f"polish must be None, an emkit.Polish, or one of {sorted(METHODS)}; it is {polish!r}."
        raise ValueError(msg)
    if not offers_score(model):
        require(model, "complete_score")
    return polish if isinstance(polish, Polish) else Polish(polish)  # type: ignore[arg-type]
