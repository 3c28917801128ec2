"""What fitted params say of paths and of what comes next."""
