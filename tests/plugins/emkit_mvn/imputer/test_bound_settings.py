"""What may be given as bounds."""

import warnings

import numpy as np
import pytest
from emkit_mvn.estimator import NormalImputer
from mvn_tables import AIRQUALITY
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"min_value": [0.0, 1.0]}, r"should be of shape \(6,\).*\(2,\)"),
        ({"min_value": np.zeros((6, 6))}, r"should be of shape \(6,\)"),
        ({"min_value": 3, "max_value": 2}, r"min_value >= max_value: column 0 has min_value=3"),
        ({"min_value": 2, "max_value": 2}, r"min_value >= max_value"),
        ({"max_value": [9, 9, 9, -9, 9, 9], "min_value": 0}, r"column 3 has min_value=0.0 and max_value=-9.0"),
        ({"min_value": np.nan}, "min_value of column 0 is NaN or None; for no bound"),
        ({"max_value": [9, None, 9, 9, 9, 9]}, "max_value of column 1 is NaN or None"),
        ({"min_value": np.inf}, r"min_value=inf"),
        ({"min_value": "1.5"}, r"min_value must be a number.*'1.5'"),
        ({"min_value": [1j] * 6}, "min_value must be a number"),
        ({"max_value": "high"}, r"max_value must be a number.*'high'"),
    ],
)
def test_bounds_that_cannot_be_are_refused(bounds, message):
    with pytest.raises(ValueError, match=message):
        NormalImputer(**bounds).fit(AIRQUALITY)


def test_the_same_bounds_are_accepted_and_refused_as_by_scikit_learn():
    def outcome(imputer):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                imputer.fit(AIRQUALITY)
            except ValueError:
                return "refused"
        return "accepted"

    for low, high in ((None, None), (0, None), ([0] * 6, [500] * 6), (0, 0), (1, 0), ([0] * 5, 1), (0, [1] * 7)):
        ours, theirs = (cls(min_value=low, max_value=high) for cls in (NormalImputer, IterativeImputer))
        assert outcome(ours) == outcome(theirs)
