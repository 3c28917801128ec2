"""Params from fits to rows drawn with replacement: draws that stand for their posterior.

References
----------
J. Honaker, G. King, American Journal of Political Science 54 (2010) 561-581.
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from emkit import EMResult, fit
from emkit.errors import FitFailedError
from emkit_mvn.kernels.rows import IncompleteRows
from emkit_mvn.model import MultivariateNormal
from emkit_mvn.params import NormalParams

Array = NDArray[np.float64]

#: How often rows are drawn again where they leave a column without a seen cell.
MAX_DRAWS = 100


@attrs.frozen(eq=False)
class Replicate:
    """Fits a model to rows drawn with replacement; no row is copied, since its weight says how often it was drawn.

    Attributes
    ----------
    model : MultivariateNormal
    params : NormalParams
        Where fits start; from them come the constants of the fit.
    x : (n_samples, n_features)
    weights : (n_samples,)
        As many rows are drawn as these add up to, rounded, each with a probability in proportion to its weight.
    """

    model: MultivariateNormal
    params: NormalParams
    x: Array
    weights: Array

    @classmethod
    def of(cls, model: MultivariateNormal, params: NormalParams, rows: IncompleteRows) -> Replicate:
        """Return it for prepared rows, without those that say nothing."""
        weights = np.ones(len(rows.x)) if rows.weights is None else rows.weights
        kept = (weights > 0) & ~np.isnan(rows.x).all(axis=1)
        return cls(model, params, rows.x[kept], weights[kept])

    def __call__(self, seed: SeedSequence) -> EMResult[NormalParams]:
        """Return the fit to the rows drawn with this seed."""
        weights = self.drawn(np.random.default_rng(seed))
        return fit(self.model, (self.x, weights), self.params)

    def drawn(self, rng: np.random.Generator) -> Array:
        """Return how often each row counts, (n_samples,); rows are drawn again if some column lost all its cells.

        Raises
        ------
        FitFailedError
            If that happens time after time.
        """
        total = float(self.weights.sum())
        n = max(round(total), 1)
        observed = ~np.isnan(self.x)
        for _ in range(MAX_DRAWS):
            counts = rng.multinomial(n, self.weights / total).astype(np.float64)
            seen = counts @ observed
            if (seen > 0).all():
                return counts * (total / n)
        column = int(np.argmin(self.weights @ observed))
        msg = (
            f"Rows drawn with replacement have left column {column} without a seen cell {MAX_DRAWS} times: it has too "
            "few of them for a bootstrap. Leave it out, or take method='augmentation' with prior='ridge'."
        )
        raise FitFailedError(msg)
