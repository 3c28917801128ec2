"""Least squares with missing cells."""
