"""Builds the installable application: run `uv run python installer/build.py`."""
