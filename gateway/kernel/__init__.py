"""Loops over arrays that numba compiles: one module compiles, all others hold loops."""
