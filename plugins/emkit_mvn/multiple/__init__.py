"""Multiple imputation: completed tables that differ as much as the gaps leave open, and pooling of what they give."""
