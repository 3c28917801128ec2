"""K Gaussians: log-densities and weighted moments of many rows in two matrix products a block."""
