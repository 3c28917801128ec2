"""The observed information, minus the Hessian of the objective along the free directions, in three ways.

==============  ===========================================================  ===================
method          what is differentiated                                       E-steps, p free
==============  ===========================================================  ===================
"score"         the exact score, once (Oakes 1999)                           2 p
"sem"           the plain EM map and the complete-data score (Meng and       2 p + 2
                Rubin 1991)
"likelihood"    the objective, twice                                         about 4 p + 4 p**2
==============  ===========================================================  ===================

All are taken with the plain model at the given params: they do not depend on how these were found.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.information.axes import asymmetry, well_conditioned
from emkit.information.curvature import central_difference, gradient_and_hessian, slope_changes
from emkit.information.entries import flat
from emkit.information.rate import STEP as RATE_STEP
from emkit.information.rate import complete_information, em_jacobian
from emkit.information.silence import hear
from emkit.information.surface import Surface

Array = NDArray[np.float64]

METHODS = ("auto", "score", "likelihood", "sem")
#: Error of the entries of the Jacobian of EM, by central differences; at least.
RATE_ERROR = 1e-8
#: Rounding of what a model computes, relative to its size.
ROUNDING = 2e-16
#: By how much supplemented EM and the score may disagree, relative to the complete-data information, at a fixed point;
#: and for each complete-data standard error of a step of EM from there.
MAX_DISAGREEMENT = 1e-5
MAX_SKEWNESS = 1.0


@attrs.frozen(eq=False)
class ObservedInformation:
    """Minus the Hessian of ``log_likelihood + log_prior`` along free directions.

    Attributes
    ----------
    matrix : (n_free, n_free)
    gradient : (n_free,)
        Of the objective.
    directions : (n_free, n_entries)
        Free directions of the params' space that touch no entry on a bound, over the entries of all fields.
    on_bound : tuple of str
        Names of the entries on a bound, of which nothing is said.
    silent : tuple of str
        Names of the entries of which the data say nothing: along their directions, which are left out, nothing changes.
    method : str
        How it was found: "score", "likelihood" or "sem".
    asymmetry : float
        Largest difference between entries (i, j) and (j, i) before they were averaged, in units of the geometric mean
        of the diagonal: the error of the differences. Always 0 by "likelihood".
    error : float
        Error of the entries in these units, as far as it is known: the asymmetry, or rounding and
        truncation of the differences of the likelihood.
    complete : (n_free, n_free) or None
        By "sem": the complete-data information.
    rates : (n_free, n_free) or None
        By "sem": the Jacobian of the EM map, ``rates[i, j] = d EM_j / d params_i``. Its eigenvalues are the fractions
        of information that is missing.
    n_e_steps : int
        Passes over the data it took.
    """

    matrix: Array
    gradient: Array
    directions: Array
    on_bound: tuple[str, ...]
    silent: tuple[str, ...]
    method: str
    asymmetry: float
    error: float
    complete: Array | None = None
    rates: Array | None = None
    n_e_steps: int = 0


def observed_information(model: Any, params: Any, data: Any, method: str = "auto") -> ObservedInformation:
    """Return the observed information at ``params``.

    Parameters
    ----------
    model, params
    data
        What the model's E-step takes.
    method : {"auto", "score", "likelihood", "sem"}
        "auto" takes the exact score where the model offers one, else differences of the likelihood. "sem" needs
        ``complete_score``, params at a fixed point of EM, and an M-step that maximises in full.

    Raises
    ------
    MissingCapabilityError
        If the model lacks what the method needs.
    ValueError
        If the score shows that supplemented EM is wrong for the model's M-step (ECM, generalised EM).
    """
    return measure(Surface(model, params, data), method)


def measure(surface: Surface, method: str = "auto") -> ObservedInformation:
    """Return the observed information at the centre of a surface."""
    if method not in METHODS:
        msg = f"method must be one of {', '.join(map(repr, METHODS))}; it is {method!r}."
        raise ValueError(msg)
    if method == "auto":
        method = "score" if surface.has_score else "likelihood"
    complete = rates = None
    error = 0.0
    if method == "score":
        gradient, raw = well_conditioned(surface)
    elif method == "sem":
        gradient, raw, complete, rates, error = _supplemented(surface)
    else:
        gradient, raw, error = gradient_and_hessian(surface)
        heard = hear(surface, gradient, raw)
        gradient, raw = gradient[heard], raw[np.ix_(heard, heard)]
    skewed = asymmetry(raw)
    names = np.array(surface.entry_names(), dtype=object)
    return ObservedInformation(
        matrix=(raw + raw.T) / 2,
        gradient=gradient,
        directions=surface.directions,
        on_bound=tuple(names[surface.entries_on_bound()]),
        silent=tuple(names[surface.silent_entries()]),
        method=method,
        asymmetry=skewed,
        error=max(skewed, error),
        complete=complete,
        rates=rates,
        n_e_steps=surface.n_e_steps,
    )


def _supplemented(surface: Surface) -> tuple[Array, Array, Array, Array, float]:
    """Return gradient, ``(I - rates) @ complete``, ``complete``, ``rates``, and the error of the second.

    At a fixed point t of EM the complete-data score at the statistics of t vanishes, and its two derivatives give
    the Jacobian of the EM map: so the observed information is ``(I - rates) complete``, whose inverse is
    ``V = complete^-1 (I - rates)^-1``, equation (2.3.5) of Meng and Rubin (1991), JASA 86:899.
    """
    complete = complete_information(surface)
    if not np.abs(complete).max(axis=1, initial=0.0).all():
        # Where the complete data say nothing the score must say it too, or complete_score is wrong.
        heard = hear(surface, *slope_changes(surface))
        complete = complete[np.ix_(heard, heard)]
    diagonal = np.abs(np.diag(complete))
    units = np.where(diagonal > 0, 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0)), 0.0)
    rates = em_jacobian(surface, units)
    slopes = surface.slopes(np.zeros(surface.directions.shape[1]))
    assert slopes is not None
    raw = (np.eye(len(rates)) - rates) @ complete
    # Steps are short where little is unknown, and then entries far from zero leave few digits to their changes.
    sizes = np.abs(surface.directions) @ np.abs(flat(surface.params))
    rounding = np.divide(ROUNDING * sizes, RATE_STEP * units, out=np.zeros(len(units)), where=units > 0)
    rate_error = max(RATE_ERROR, float(rounding.max(initial=0.0)))
    _require_full_maximisation(surface, raw, units, rate_error)
    # What is left of the complete information where nearly all of it is missing: the difference of two large numbers.
    size = np.where(np.diag(raw) == 0, 1.0, np.abs(np.diag(raw)))
    return slopes, raw, complete, rates, float((rate_error * diagonal / size).max(initial=0.0))


def _require_full_maximisation(surface: Surface, raw: Array, units: Array, rate_error: float) -> None:
    """Raise ValueError if the score contradicts supplemented EM along one direction that has a part in all.

    The map of ECM or of a generalised EM has another Jacobian than that of EM, of which the information cannot be
    read; it may even be symmetric. Away from a fixed point supplemented EM is not exact anyway.
    """
    parts = np.random.default_rng(0).standard_normal(len(units)) * units
    change = central_difference(surface.slopes, parts @ surface.directions, RATE_STEP / np.sqrt(max(len(units), 1)))
    image = surface.image(np.zeros(surface.directions.shape[1]))
    if change is None or image is None:
        return
    known = units > 0
    moved = np.abs(image[known] / units[known]).max(initial=0.0)
    disagreement = np.abs((parts @ raw + change) * units).max(initial=0.0)
    if disagreement > MAX_DISAGREEMENT + MAX_SKEWNESS * moved + 10 * rate_error:
        name = type(surface.model).__name__
        msg = (
            f"Supplemented EM contradicts the score of {name} here, by {disagreement:.2g} of the complete-data "
            "information. It is right only where m_step maximises in full, as those of ECM, ECME, PX-EM and "
            "generalised EM do not, and where complete_score is right. Take method='score', which does without m_step, "
            "or 'likelihood', which does without both."
        )
        raise ValueError(msg)
