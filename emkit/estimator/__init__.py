"""The scikit-learn face of a model, once for every plugin and without importing scikit-learn.

A face is a class with keyword arguments, ``fit`` and fitted attributes that end in an underscore::

    @attrs.define(slots=False, eq=False, repr=False)
    class Mean(Estimator):
        shrinkage: float = 0.0

        def fit(self, X, y=None):
            x = self._check_fit_input(X)
            self.mean_ = x.mean(axis=0) * (1 - self.shrinkage)
            return self

        def predict(self, X):
            x = self._check_input(X)
            return x @ self.mean_

attrs writes a constructor that stores its arguments untouched, so a field has neither converter nor validator, and no
mutable default: ``fit`` checks and converts. The three switches matter. With slots, parameters are missing from
``vars(face)``, which scikit-learn reads; with ``eq``, faces cannot be hashed and arrays cannot be compared; with
``repr``, that of attrs hides the one here, which shows what differs from the defaults.
"""

from emkit.estimator.base import Estimator
from emkit.estimator.fitting import FitOutcome, fit_with_warnings, rng_of, warn_about
from emkit.estimator.transformer import TransformerFace

__all__ = ["Estimator", "FitOutcome", "TransformerFace", "fit_with_warnings", "rng_of", "warn_about"]
