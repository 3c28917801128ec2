"""What marks a gap."""

import numpy as np
import pytest
from emkit_mvn.estimator import NormalImputer
from mvn_tables import AIRQUALITY, AIRQUALITY_GAPS


@pytest.mark.parametrize("marker", [-999, -999.9, 0.1])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_number_may_mark_gaps_in_either_precision(marker, dtype):
    marked = np.where(AIRQUALITY_GAPS, marker, AIRQUALITY).astype(dtype)
    found = NormalImputer(missing_values=marker).fit_transform(marked)
    rounded = np.where(AIRQUALITY_GAPS, np.nan, AIRQUALITY.astype(dtype))
    np.testing.assert_array_equal(found, NormalImputer().fit_transform(rounded))
