"""What the fit says about the gaps themselves: how much they hide, and whether they are random."""
