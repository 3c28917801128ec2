"""Inverses and roots of batches against those of each matrix."""

import numpy as np
import pytest
from emkit_mvn.kernels.inversion import inverses, roots

from emkit.errors import DegenerateError


@pytest.mark.parametrize("size", [0, 1, 2, 7, 14, 15, 30])
@pytest.mark.parametrize("count", [1, 7, 8, 100])
def test_inverses_of_a_batch_are_those_of_each(size, count):
    rng = np.random.default_rng(size)
    roots = rng.normal(size=(count, size, size + 2))
    matrices = roots @ roots.swapaxes(1, 2)
    inverse, log_determinants = inverses(np.moveaxis(matrices, 0, -1).copy())
    np.testing.assert_allclose(np.moveaxis(inverse, -1, 0), np.linalg.inv(matrices), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(log_determinants, np.linalg.slogdet(matrices)[1], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("size", "count"), [(2, 20), (2, 1), (20, 20)])
def test_a_batch_with_an_indefinite_matrix_is_refused(size, count):
    matrices = np.repeat(np.eye(size)[..., None], count, axis=-1)
    matrices[-1, -1, -1] = -1.0
    with pytest.raises(DegenerateError, match="not positive definite"):
        inverses(matrices)
    singular = np.ones((size, size, count))
    with pytest.raises(DegenerateError, match="not positive definite"):
        inverses(singular)


def test_roots_of_a_batch_multiply_to_it_even_where_one_is_singular():
    vectors = np.random.default_rng(0).normal(size=(5, 3, 3))
    matrices = vectors @ vectors.swapaxes(1, 2)
    matrices[2] = np.ones((3, 3))
    matrices[2, 0, 0] -= 1e-15
    for batch in (matrices[:2], matrices):
        found = roots(batch)
        np.testing.assert_allclose(found @ found.swapaxes(1, 2), batch, atol=1e-12)
