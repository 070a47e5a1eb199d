"""One small sample for all tests of the room: making it is most of their time."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.sample import SampleTruth, make_sample

SIZE = 128


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleTruth:
    """Six patients of 24 slices of 128 × 128."""
    folder: Path = tmp_path_factory.mktemp("sample")
    return make_sample(folder, size=SIZE)
