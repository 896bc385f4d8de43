"""Acts that need two persons (双人复核): one asks, another one with the permission approves."""
