"""The observed information, minus the Hessian of the objective along the free directions, in three ways.

==============  ===========================================================  ===================
method          what is differentiated                                       E-steps, p free
==============  ===========================================================  ===================
"score"         the exact score, once (Oakes 1999)                           2 p
"sem"           the plain EM map and the complete-data score (Meng and       2 p
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

from emkit.information.curvature import gradient_and_hessian, slope_changes, value_error
from emkit.information.rate import complete_information, em_jacobian
from emkit.information.surface import Surface

Array = NDArray[np.float64]

METHODS = ("auto", "score", "likelihood", "sem")
#: Error of the entries of the Jacobian of EM, by central differences.
RATE_ERROR = 1e-8


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
    method : str
        How it was found: "score", "likelihood" or "sem".
    asymmetry : float
        Largest difference between entries (i, j) and (j, i) before they were averaged, in units of the geometric mean
        of the diagonal: the error of the differences. Always 0 by "likelihood".
    error : float
        Error of the entries in these units, as far as it is known: the asymmetry, or the rounding of the likelihood.
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
        ``complete_score`` and params at a fixed point of EM.

    Raises
    ------
    MissingCapabilityError
        If the model lacks what the method needs.
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
    if method == "score":
        gradient, raw = slope_changes(surface)
    elif method == "sem":
        gradient, raw, complete, rates = _supplemented(surface)
    else:
        gradient, raw = gradient_and_hessian(surface)
    asymmetry = _asymmetry(raw)
    names = np.array(surface.entry_names(), dtype=object)[surface.entries_on_bound()]
    return ObservedInformation(
        matrix=(raw + raw.T) / 2,
        gradient=gradient,
        directions=surface.directions,
        on_bound=tuple(names),
        method=method,
        asymmetry=asymmetry,
        error=max(asymmetry, _error(surface, method, raw, complete)),
        complete=complete,
        rates=rates,
        n_e_steps=surface.n_e_steps,
    )


def _supplemented(surface: Surface) -> tuple[Array, Array, Array, Array]:
    """Return gradient, ``(I - rates) @ complete``, ``complete`` and ``rates``.

    At a fixed point t of EM the complete-data score at the statistics of t vanishes, and its two derivatives give
    the Jacobian of the EM map: so the observed information is ``(I - rates) complete``, whose inverse is
    ``V = complete^-1 (I - rates)^-1``, equation (2.3.5) of Meng and Rubin (1991), JASA 86:899.
    """
    complete = complete_information(surface)
    diagonal = np.abs(np.diag(complete))
    units = np.where(diagonal > 0, 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0)), 0.0)
    rates = em_jacobian(surface, units)
    slopes = surface.slopes(np.zeros(surface.directions.shape[1]))
    assert slopes is not None
    return slopes, (np.eye(len(rates)) - rates) @ complete, complete, rates


def _error(surface: Surface, method: str, raw: Array, complete: Array | None) -> float:
    """Return what is known of the error of the information, beside its asymmetry, on the scale of a unit diagonal."""
    if method == "likelihood":
        return value_error(surface)
    if complete is None:
        return 0.0
    # What is left of the complete information where nearly all of it is missing: the difference of two large numbers.
    size = np.where(np.diag(raw) == 0, 1.0, np.abs(np.diag(raw)))
    return float((RATE_ERROR * np.abs(np.diag(complete)) / size).max(initial=0.0))


def _asymmetry(raw: Array) -> float:
    if not raw.size:
        return 0.0
    scale = np.sqrt(np.abs(np.diag(raw)))
    scale = np.where(scale > 0, scale, 1.0)
    return float(np.abs((raw - raw.T) / np.outer(scale, scale)).max())
