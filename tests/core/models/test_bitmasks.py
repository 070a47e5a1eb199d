"""Masks as long numbers say what scipy says, to the pixel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from core.models.bitmasks import largest_part, opened

MASKS = arrays(np.bool_, st.tuples(st.integers(1, 24), st.integers(1, 24)), elements=st.booleans())


@given(MASKS, st.integers(1, 4))
def test_opening_is_scipy_s(mask: np.ndarray, times: int) -> None:
    # Random dots alone never survive an erosion: thicken them first.
    thick = ndimage.binary_dilation(mask, iterations=times)
    np.testing.assert_array_equal(
        opened(thick, times), ndimage.binary_opening(thick, iterations=times)
    )


@given(MASKS)
def test_the_largest_part_is_scipy_s_first_of_the_largest(mask: np.ndarray) -> None:
    parts, count = ndimage.label(mask)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    expected = parts == 1 + int(np.argmax(sizes)) if count else np.zeros_like(mask)
    np.testing.assert_array_equal(largest_part(mask), expected)


def test_slices_are_prepared_without_what_takes_long_to_import() -> None:
    code = (
        "import sys, numpy as np\n"
        "from core.models.preprocessing import prepare\n"
        "from core.models.card import Preprocessing\n"
        "from core.imaging.intensity import Quantity\n"
        "plane = np.full((64, 64), -1000, np.int16); plane[16:50, 20:44] = 40\n"
        "made = prepare([plane] * 3, Quantity.HU, Preprocessing(size=32, crop='foreground'))\n"
        "assert made.pixels.max() > 0\n"
        "print([name for name in ('scipy', 'torch', 'pydicom') if name in sys.modules])"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"
