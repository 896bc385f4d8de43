"""When and where: holidays, windows, and the time zones of numbers."""
