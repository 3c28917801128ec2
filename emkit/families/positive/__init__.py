"""Positive numbers."""
