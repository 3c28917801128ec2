"""Symbols, and how often each of several things happened."""
