import numpy as np
import pytest

from core.imaging.geometry import Plane
from core.models import heat
from core.models.answers import HeatMap
from desktop.viewer.overlay import WEAKEST_TOP, HeatPictures, lay_over
from tests.desktop.viewer.making import make_case, predict


def one_cell(row, column, cells=8, value=1.0, box=(0.0, 0.0, 64.0, 64.0)):
    values = np.zeros((cells, cells), np.float32)
    values[row, column] = value
    return HeatMap(values, box, "hemorrhage")


def parts(pixels):
    """(…, 4): blue, green, red, alpha."""
    return pixels.astype("<u4")[..., None].view(np.uint8)


def test_a_cell_is_drawn_around_its_own_centre():
    full = heat.on_slice(one_cell(2, 5), (64, 64))
    rows, columns = np.mgrid[:64, :64] + 0.5
    assert np.average(rows, weights=full) == pytest.approx(2.5 * 8)
    assert np.average(columns, weights=full) == pytest.approx(5.5 * 8)


def test_a_map_as_fine_as_the_slice_is_itself():
    values = np.random.default_rng(0).random((24, 30)).astype(np.float32)
    full = heat.on_slice(HeatMap(values, (0.0, 0.0, 24.0, 30.0), "x"), (24, 30))
    assert np.allclose(full, values, atol=1e-6)


def test_a_plane_of_evidence_stays_a_plane():
    """Bilinear: a linear ramp is reproduced exactly between the outermost centres."""
    ramp = np.tile(np.arange(6, dtype=np.float32), (6, 1))
    full = heat.on_slice(HeatMap(ramp, (3.5, -4.25, 33.0, 41.0), "x"), (40, 40))
    centres = np.arange(40) + 0.5
    expected = (centres + 4.25) / 41.0 * 6 - 0.5
    inside = (expected > 0) & (expected < 5)
    assert np.allclose(full[20, inside], expected[inside], atol=1e-4)
    assert np.isneginf(full[:3]).all() and np.isneginf(full[:, 37:]).all()


def test_lines_are_lines_of_the_whole():
    item = HeatMap(np.random.default_rng(1).random((5, 7)).astype(np.float32), (2, 3, 20, 30), "x")
    full = heat.on_slice(item, (30, 40))
    for k in (0, 2, 11, 29):
        assert np.allclose(heat.line_on_slice(item, (30, 40), Plane.ROW, k), full[k])
        assert np.allclose(heat.line_on_slice(item, (30, 40), Plane.COLUMN, k), full[:, k])


@pytest.mark.parametrize("name", heat.COLOUR_MAPS)
def test_colour_maps(name):
    table = heat.colour_table(name).astype(float)
    assert table.shape == (256, 3)
    if name != "red-blue":  # read right in grey, too: lightness only rises
        lightness = table @ [0.2126, 0.7152, 0.0722]
        assert (np.diff(lightness) > -1.0).all() and lightness[-1] - lightness[0] > 120


def test_the_range_is_the_series_not_the_slice():
    case = make_case(np.zeros((3, 64, 64), np.int16))
    weak, strong = one_cell(2, 2, value=0.5), one_cell(2, 2, value=2.0)
    predict(case, [0.9, 0.9, None], {0: weak, 1: strong})
    pictures = HeatPictures(case)
    pictures.answers_changed(None)
    assert pictures.range.top == 2.0
    colours = [tuple(parts(pictures.picture(k))[20, 20]) for k in (0, 1)]
    assert colours[0] != colours[1]
    table = heat.colour_table("inferno")
    assert colours[1][2::-1] in {tuple(row) for row in table[200:]}
    assert pictures.picture(2) is None


def test_negative_and_weak_evidence_is_not_drawn_and_opacity_is_one_value():
    case = make_case(np.zeros((1, 64, 64), np.int16))
    values = np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8)
    predict(case, [0.9], {0: HeatMap(values, (0, 0, 64, 64), "hemorrhage")})
    pictures = HeatPictures(case)
    pictures.answers_changed(None)
    alpha = parts(pictures.picture(0))[..., 3]
    full = heat.on_slice(case.prediction.slices[0].heat_map, (64, 64))
    assert set(np.unique(alpha)) == {0, 255}
    assert (alpha[full < 0.24] == 0).all() and (alpha[full > 0.26] == 255).all()
    everything = parts(pictures.picture(0, everything=True))[..., 3]
    assert (everything[full > 0.02] == 255).all() and (everything[full < 0] == 0).all()


def test_noise_without_evidence_is_not_shown_as_a_finding():
    case = make_case(np.zeros((1, 64, 64), np.int16))
    predict(case, [0.01], {0: one_cell(3, 3, value=0.01)})
    pictures = HeatPictures(case)
    pictures.answers_changed(None)
    assert pictures.range.top == WEAKEST_TOP
    assert not parts(pictures.picture(0))[..., 3].any()


def test_pictures_are_kept_but_not_for_ever():
    case = make_case(np.zeros((6, 64, 64), np.int16))
    predict(case, [0.9] * 6, {k: one_cell(k, k) for k in range(6)})
    pictures = HeatPictures(case, cache_bytes=3 * 64 * 64 * 4)
    pictures.answers_changed(None)
    first = pictures.picture(0)
    assert pictures.picture(0) is first
    for k in range(1, 6):
        pictures.picture(k)
    again = pictures.picture(0)
    assert again is not first and np.array_equal(again, first)
    case.show(heat_cut=0.9)
    assert parts(pictures.picture(0))[..., 3].sum() < parts(first)[..., 3].sum()


def test_planes_cut_through_the_stack():
    case = make_case(np.zeros((3, 64, 64), np.int16))
    predict(case, [0.9, None, 0.9], {0: one_cell(2, 5), 2: one_cell(6, 5)})
    pictures = HeatPictures(case)
    pictures.answers_changed(None)
    row = pictures.picture(20, Plane.ROW)
    assert row.shape == (3, 64)
    assert row[0, 44] >> 24 == 255 and not row[1].any() and row[2, 44] == 0
    column = pictures.picture(44, Plane.COLUMN)
    assert column[0, 20] >> 24 == 255 and column[2, 52] >> 24 == 255


def test_opacity_is_the_same_wherever_something_is_drawn():
    case = make_case(np.zeros((1, 64, 64), np.int16))
    predict(case, [0.9], {0: one_cell(2, 5)})
    pictures = HeatPictures(case)
    pictures.answers_changed(None)
    full, half = parts(pictures.picture(0)), parts(pictures.picture(0, opacity=0.5))
    assert set(np.unique(half[..., 3])) == {0, 127}
    assert np.abs(half.astype(int) - full / 2).max() <= 1  # premultiplied


@pytest.mark.parametrize("opacity", [0.05, 0.45, 0.999, 1.0])
def test_blending_is_the_textbook_s_and_no_channel_runs_over(opacity):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (64, 64, 4)).astype(np.uint8)
    image[:8] = 255
    image[..., 3] = 255
    case = make_case(np.zeros((1, 64, 64), np.int16))
    predict(case, [0.9], {0: HeatMap(rng.random((8, 8)).astype(np.float32), (0, 0, 64, 64), "x")})
    pictures = HeatPictures(case)
    pictures.answers_changed(None)
    full = parts(pictures.picture(0))[..., :3].astype(float)
    has = parts(pictures.picture(0))[..., 3:] > 0
    blended = image.view("<u4")[..., 0].astype(np.uint32)
    lay_over(blended, pictures.picture(0, opacity=opacity), opacity)
    expected = np.where(has, full * opacity + image[..., :3] * (1 - opacity), image[..., :3])
    assert np.abs(parts(blended)[..., :3] - expected).max() <= 3
    assert (parts(blended)[..., 3] == 255).all()


def test_the_answer_for_the_series_leaves_the_pictures_of_its_slices():
    case = make_case(np.zeros((2, 64, 64), np.int16))
    predict(case, [0.9, 0.9], {0: one_cell(2, 5), 1: one_cell(3, 3, value=0.5)})
    pictures = HeatPictures(case)
    pictures.answers_changed(None)
    first = pictures.picture(0)
    case.prediction_finished(case.prediction.model, 0.9)
    pictures.answers_changed(None)
    assert pictures.picture(0) is first
    predict(case, [0.9, 0.9], {0: one_cell(6, 6)})
    pictures.answers_changed(None)
    again = pictures.picture(0)
    assert not np.array_equal(again, first) and pictures.picture(1) is None
