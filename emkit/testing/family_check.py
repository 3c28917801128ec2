"""Holding a family of distributions to all the laws at once.

>>> from emkit.testing import check_family
>>> report = check_family(family, x)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import Any

from emkit.errors import MissingCapabilityError
from emkit.families import Family
from emkit.testing.check import Report
from emkit.testing.family_case import FamilyCase
from emkit.testing.family_laws import FAMILY_LAWS
from emkit.testing.laws import DoesNotApply


def survey_family(family: Family[Any], x: Any, n_components: int = 2, lengths: Any = None) -> Report:
    """Return which laws a family keeps, without raising."""
    kept, broken, absent = [], {}, []
    case = FamilyCase.of(family, x, n_components, lengths)
    for law in FAMILY_LAWS:
        try:
            law(case)
        except (DoesNotApply, MissingCapabilityError):
            absent.append(law.__name__)
        except Exception as error:  # whatever a law meets is its finding
            broken[law.__name__] = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        else:
            kept.append(law.__name__)
    return Report(tuple(kept), broken, tuple(absent))


def check_family(family: Family[Any], x: Any, n_components: int = 2, lengths: Any = None) -> Report:
    """Hold a family of distributions to every law that applies.

    Parameters
    ----------
    family : Family
    x : (n_samples, n_features)
        A few hundred rows inside the support that fit the family not too badly.
    n_components : int
    lengths : (n_sequences,), optional
        Of the sequences in ``x``, for families that look at earlier rows.

    Returns
    -------
    Report
        The laws kept, and those about what the family does not offer.

    Raises
    ------
    AssertionError
        If any law is broken; the message says which and by how much.
    """
    report = survey_family(family, x, n_components, lengths)
    if report.broken:
        msg = f"{type(family).__name__} breaks {len(report.broken)} of {len(FAMILY_LAWS)} laws.\n{report}"
        raise AssertionError(msg)
    return report
