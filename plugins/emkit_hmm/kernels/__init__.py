"""Arrays in, arrays out: what a hidden Markov chain says of its states, over many sequences at once."""
