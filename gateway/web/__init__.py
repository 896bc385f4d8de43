"""What every HTTP path shares: clients and roles, bounds, problems, and fields of bodies."""
