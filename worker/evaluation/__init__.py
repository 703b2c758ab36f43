"""Evaluation networks and model versions on images that they have not learnt from; see docs/evaluation.md."""
