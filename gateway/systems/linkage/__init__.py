"""Linkage (联动): signed events about cases between the nodes of carriers, over hubs or direct."""
