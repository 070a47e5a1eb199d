"""Decoder processes stay warm between the tests of this room, and end with them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.imaging import decoding


@pytest.fixture(scope="package", autouse=True)
def _decoders() -> Iterator[None]:
    decoding.warm_up(4)
    yield
    decoding.shut_down()
