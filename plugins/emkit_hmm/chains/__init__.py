"""Laws of the hidden path."""
