"""The sets that params live in.

A params class declares, field by field, the set each estimate belongs to:

    >>> import attrs, numpy as np
    >>> from emkit import space
    >>> @attrs.frozen(eq=False)
    ... class PoissonMixtureParams:
    ...     weights: np.ndarray = space.simplex()
    ...     rates: np.ndarray = space.positive()

From that line everything follows which a driver needs to know about a parameter: the check of user-given starting
values, which accelerated proposals are feasible, how many free parameters there are, in which directions a likelihood
may be differentiated, and what to say when an estimate lies on a bound. A field that declares nothing is guarded by
what is seen of it: see :class:`Undeclared`.

A model may refine the declaration for its own configuration through ``space(params)``, which returns a mapping from
field names to the classes below.
"""

from emkit.space.assignment import spaces_of
from emkit.space.base import Space
from emkit.space.coordinates import Coordinates
from emkit.space.fields import covariance, fixed, integer, ordered, positive, real, simplex, unit_interval
from emkit.space.matrices import Covariance
from emkit.space.proportions import Simplex
from emkit.space.scalars import Fixed, Integer, Ordered, Positive, Real, Undeclared, UnitInterval

__all__ = [
    "Coordinates",
    "Covariance",
    "Fixed",
    "Integer",
    "Ordered",
    "Positive",
    "Real",
    "Simplex",
    "Space",
    "Undeclared",
    "UnitInterval",
    "covariance",
    "fixed",
    "integer",
    "ordered",
    "positive",
    "real",
    "simplex",
    "spaces_of",
    "unit_interval",
]
