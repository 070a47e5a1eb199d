"""Regions drawn with the mouse, as they leave for the journal."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, Qt

from core.labels.schema import Attention, Region, RegionShape
from core.reading.areas import mask_of
from core.reading.layout import Tool
from desktop.viewer.slice_view import SliceView
from tests.desktop.viewer.making import at, grab, make_case, mouse, pull, settle

LEFT = Qt.MouseButton.LeftButton
SIZE = (60, 80)


@pytest.fixture
def case():
    return make_case(np.zeros((6, *SIZE), np.int16), spacing=(4.0, 0.5, 0.5))


@pytest.fixture
def view(qtbot, case):
    """A view whose regions are kept at once, as a journal would."""
    made = SliceView()
    qtbot.addWidget(made)
    made.resize(700, 560)
    made.show()
    made.set_case(case)

    def keep(index, edit):
        slice_id = case.summary.slice_ids[index]
        case.remark({**case.regions, slice_id: edit.apply(case.regions_at(index), SIZE)})

    made.marking.drawn.connect(keep)
    settle()
    return made


def click(view, x, y):
    place = at(view, x, y)
    mouse(view, QEvent.Type.MouseMove, place)
    mouse(view, QEvent.Type.MouseButtonPress, place, LEFT, LEFT)
    mouse(view, QEvent.Type.MouseButtonRelease, place, LEFT)


@pytest.mark.parametrize("tool", [Tool.MARK_BOX, Tool.MARK_ELLIPSE])
@pytest.mark.parametrize("turns", [0, 1])
def test_boxes_and_ellipses_are_where_they_were_drawn(view, case, tool, turns):
    view.viewpoint.look(view.viewpoint.camera.rotated(turns))
    settle()
    view.tool = tool
    pull(view, (10, 20), (30, 50))
    (region,) = case.regions_at(3)
    assert region.box == pytest.approx((20, 10, 30, 20), abs=1e-6)
    assert region.attention is Attention.LOOK_HERE
    drawn = mask_of(region, SIZE)
    assert drawn[35, 20] and drawn.sum() == pytest.approx(
        600 if tool is Tool.MARK_BOX else 600 * np.pi / 4, rel=0.03
    )


def test_a_polygon_is_clicked_and_closed(view, case):
    view.tool = Tool.MARK_POLYGON
    for x, y in ((10, 10), (40, 10), (40, 40)):
        click(view, x, y)
    mouse(view, QEvent.Type.MouseMove, at(view, 12, 38))
    assert len(case.regions_at(3)) == 0 and view.is_drawing
    mouse(view, QEvent.Type.MouseButtonDblClick, at(view, 12, 38), LEFT, LEFT)
    (region,) = case.regions_at(3)
    assert region.shape is RegionShape.POLYGON and len(region.outline) == 3
    assert mask_of(region, SIZE).sum() == pytest.approx(450, rel=0.05)
    click(view, 60, 10)
    view.stop_drawing()
    assert len(case.regions_at(3)) == 1


def test_the_brush_paints_one_region_and_erases(view, case):
    view.tool = Tool.MARK_BRUSH
    view.marking.pen.radius = 2.0
    pull(view, (20, 20), (40, 20))
    pull(view, (30, 10), (30, 40))
    (region,) = case.regions_at(3)
    mask = mask_of(region, SIZE)
    assert mask[20, 20] and mask[38, 30] and not mask[38, 40]
    view.marking.pen.erases = True
    pull(view, (30, 10), (30, 40))
    mask = mask_of(case.regions_at(3)[0], SIZE)
    assert not mask[38, 30] and mask[20, 20]
    view.marking.pen.erases, view.marking.pen.attention = False, Attention.NOT_HERE
    pull(view, (60, 40), (70, 50))
    assert {r.attention for r in case.regions_at(3)} == set(Attention)
    shown = grab(view).astype(int)
    red = (shown[..., 0] - shown[..., 1] > 60) & (shown[..., 0] - shown[..., 2] > 60)
    green = (shown[..., 1] - shown[..., 0] > 60) & (shown[..., 1] - shown[..., 2] > 20)
    assert red.any() and green.any()


def test_a_region_is_chosen_by_its_edge_and_deleted(view, case):
    view.tool = Tool.MARK_BOX
    pull(view, (10, 20), (30, 50))
    pull(view, (50, 20), (70, 50))
    view.tool = Tool.WINDOW
    click(view, 10, 35)
    assert view.delete_chosen()
    assert [r.box[1] for r in case.regions_at(3)] == [pytest.approx(50)]


def test_a_held_region_is_let_go_when_others_take_its_place(view, case):
    view.tool = Tool.MARK_BOX
    pull(view, (10, 20), (30, 50))
    view.tool = Tool.WINDOW
    click(view, 10, 35)
    other = {"slice-3": (Region((10, 10, 20, 20), Attention.LOOK_HERE),)}
    case.remark(other)  # as when another task is read for
    assert not view.delete_chosen()
    assert case.regions == other


def test_drawn_slices_are_filled_between(view, case):
    view.tool = Tool.MARK_ELLIPSE
    case.navigation.go(1)
    settle()
    pull(view, (20, 10), (50, 40))
    case.navigation.go(5)
    settle()
    pull(view, (30, 20), (40, 30))
    filled = view.marking.fill_between(case)
    assert sorted(filled) == [2, 3, 4]
    sizes = [mask_of(filled[k][0], SIZE).sum() for k in (2, 3, 4)]
    assert sizes == sorted(sizes, reverse=True) and sizes[1] == pytest.approx(np.pi * 100, rel=0.1)


def test_regions_can_be_hidden_and_other_slices_have_none(view, case):
    case.remark({"slice-3": (Region((10, 10, 20, 20), Attention.LOOK_HERE),)})
    case.show(annotations=False)

    def coloured():
        shown = grab(view).astype(int)
        return (shown[..., 1] - shown[..., 0] > 60).any()

    assert coloured()
    case.show(regions=False)
    assert not coloured()
    case.show(regions=True)
    case.navigation.step(1)
    assert not coloured()
