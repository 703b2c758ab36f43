"""Totals and miss rates with intervals, from a probability sample that a person reviewed. Pure NumPy and SciPy."""
