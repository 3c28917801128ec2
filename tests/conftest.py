"""Settings that must hold before anything is imported."""

import os

# Without it scikit-learn skips one of its estimator checks; scipy reads it when it is imported.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
