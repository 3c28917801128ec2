"""Families whose statistics are sums over rows, and those among them whose log-density is linear in such terms."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import attrs
import numpy as np

from emkit.families.base import Array, Family, FamilyParams
from emkit.families.responsibilities import shared_at_start
from emkit.families.supports import LOG_ZERO, Terms, with_infinities


class AdditiveFamily(Family[FamilyParams]):
    """A family that is fitted through its statistics.

    A subclass defines :meth:`blank`, ``statistics`` and ``m_step``, where the M-step maximises in one step; where it
    only climbs, the subclass overrides ``fit`` as well.
    """

    is_additive: ClassVar[bool] = True

    @abstractmethod
    def blank(self, x: Any, responsibilities: Array) -> FamilyParams:
        """Return params with the constants of the whole fit; their estimates are only where an M-step begins."""

    def fit(self, x: Any, responsibilities: Array, params: FamilyParams | None = None) -> FamilyParams:
        """Return the maximiser of the weighted log-likelihood plus log-prior, of plain or prepared rows."""
        x = self.prepare(x)
        if params is None:
            responsibilities = shared_at_start(responsibilities)
            params = self.blank(x, responsibilities)
        return self.m_step(params, self.statistics(params, x, responsibilities))


@attrs.frozen(eq=False)
class Sums:
    """Sums of terms, each row shared among the components.

    Attributes
    ----------
    totals : (n_components, n_terms)
        ``responsibilities.T @ terms``; the last column holds the expected numbers of rows.
    """

    totals: Array

    @property
    def counts(self) -> Array:
        """Expected number of rows of each component, (n_components,)."""
        return self.totals[:, -1]


class LinearFamily(AdditiveFamily[FamilyParams]):
    """A family with ``log_density = terms @ coefficients.T``: one matrix product for all rows and components."""

    @abstractmethod
    def coefficients(self, params: FamilyParams) -> Array:
        """Return the coefficients of the terms, (n_components, n_terms); ``LOG_ZERO`` stands for ``log 0``."""

    def log_density(self, params: FamilyParams, x: Terms) -> Array:
        """Return ``log p(x[n] | component k)`` in nats, shape (n_samples, n_components)."""
        with np.errstate(all="ignore"):
            coefficients = self.coefficients(params)
            log_density: Array = x.terms @ coefficients.T
            return with_infinities(log_density) if (coefficients <= LOG_ZERO / 2).any() else log_density

    def statistics(self, params: FamilyParams, x: Terms, responsibilities: Array) -> Sums:
        """Return the sums of the terms."""
        with np.errstate(under="ignore"):
            return Sums(responsibilities.T @ x.terms)

    def features(self, x: Terms) -> Array:
        """Return the data as they are."""
        return x.values
