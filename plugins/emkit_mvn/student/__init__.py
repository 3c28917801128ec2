"""The multivariate t with missing cells."""
