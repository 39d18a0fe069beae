"""Loops over arrays and numbers, compiled by numba: no products, no files, no options."""
