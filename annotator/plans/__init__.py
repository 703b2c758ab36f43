"""Review plans: which images a person looks at, each drawn with a known probability. Pure NumPy and SciPy."""
