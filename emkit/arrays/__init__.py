"""What comes in from outside: data, weights and names, checked and turned into float64 arrays."""

from emkit.arrays.frames import column_names, feature_names
from emkit.arrays.matrix import as_matrix
from emkit.arrays.numbers import as_array, read_only
from emkit.arrays.weights import as_sample_weight

__all__ = ["as_array", "as_matrix", "as_sample_weight", "column_names", "feature_names", "read_only"]
