"""The faces: classes that look like those of hmmlearn and of scikit-learn."""
