"""Events: every animal once. Sequences of a camera, tracks in them, the network that joins them, and their figures."""
