"""Sliceloop without its window: reading images, predicting, labelling, retraining.

Nothing in here imports Qt. Everything that the window can do, the command line can do.
"""

__version__ = "0.1.0"
