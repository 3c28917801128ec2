"""Arrays in, arrays out: rows grouped by pattern, and what a normal distribution says of their gaps."""
