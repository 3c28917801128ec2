"""Responses that depend on given numbers, or on the rows before."""
