"""The one place that imports Keras: quiet logs set first, and the libraries' own import warnings kept to themselves."""

from __future__ import annotations

import os
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

with warnings.catch_warnings():
    # TensorFlow and its dependencies warn about each other's versions; a user can do nothing about it.
    warnings.simplefilter("ignore")
    import keras

__all__ = ["keras"]
