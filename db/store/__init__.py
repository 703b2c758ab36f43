"""Store functions: session and values in, values out; the caller commits."""
