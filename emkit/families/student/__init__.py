"""Multivariate t distributions."""
