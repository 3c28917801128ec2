"""What the information says of loadings that may be turned."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_factor import FactorAnalysisModel, InverseGamma
from sklearn.datasets import load_wine

import emkit
from emkit import information

WINE = load_wine().data[:, [0, 1, 2, 3, 4]].copy()
WINE[np.random.default_rng(5).uniform(size=WINE.shape) < 0.2] = np.nan


@pytest.mark.parametrize(
    "model",
    [
        FactorAnalysisModel(2, "isotropic"),
        FactorAnalysisModel(2, prior=InverseGamma(2.0, 0.3)),
        FactorAnalysisModel(2, prior=InverseGamma(3.0, 1.0)),
    ],
    ids=["isotropic", "prior", "stronger prior"],
)
def test_a_rotation_is_a_direction_that_changes_nothing(model):
    # Neither a saddle nor a maximum: what differences of the score show along it is their own rounding.
    result = emkit.fit(model, WINE, tol=1e-10, rng=0)
    found = information.verify(model, result.params, WINE)
    assert found.kind == "not determined"
    assert abs(found.smallest_eigenvalue) < 1e-6
    assert found.gap < 1e-8
