"""Judging networks and model versions on pictures that they have not learnt from; see docs/judging.md."""
