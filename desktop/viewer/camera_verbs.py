"""Verbs that move through the slices and turn, flip and zoom the picture: each is a key."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from core.case import Case

if TYPE_CHECKING:
    from desktop.viewer.slice_view import SliceView


class CameraVerbs:
    """Of a widget that shows a case, with a `view` on which keys act."""

    _case: Case | None
    view: SliceView

    # ---- slices

    def step(self, slices: int) -> None:
        """Move by whole slices, in the plane that keys act on."""
        if self._case is not None:
            self._case.navigation.step(slices, self.view.plane)

    def first(self) -> None:
        """Show the first slice."""
        if self._case is not None:
            self._case.navigation.go(0, self.view.plane)

    def last(self) -> None:
        """Show the last slice."""
        if self._case is not None:
            plane = self.view.plane
            self._case.navigation.go(self._case.navigation.count(plane) - 1, plane)

    def next_suspicious(self, direction: int = 1) -> bool:
        """Go to the next (−1: previous) run of suspicious slices; whether there is one."""
        if self._case is None or not self._case.display.answers:
            return False
        index = self._case.next_suspicious(direction)
        if index is None:
            return False
        self._case.navigation.go(index)
        return True

    # ---- the camera

    def rotate(self, quarter_turns: int = 1) -> None:
        """Turn clockwise."""
        self.view.viewpoint.look(self.view.viewpoint.camera.rotated(quarter_turns))

    def flip_horizontally(self) -> None:
        """Mirror left and right as seen on the screen."""
        self.view.viewpoint.look(self.view.viewpoint.camera.flipped(horizontally=True))

    def flip_vertically(self) -> None:
        """Mirror top and bottom as seen on the screen."""
        self.view.viewpoint.look(self.view.viewpoint.camera.flipped(horizontally=False))

    def zoom(self, factor: float) -> None:
        """Zoom about the middle; over 1 is larger."""
        frame = self.view.frame
        if frame is not None:
            camera = self.view.viewpoint.camera
            self.view.viewpoint.look(camera.zoomed(factor, frame, self.view.area))

    def fit(self) -> None:
        """Fit the image into the view; rotation and mirroring stay."""
        self.view.viewpoint.fit()

    def actual_pixels(self) -> None:
        """Show one image pixel on one logical screen pixel, measured across."""
        frame = self.view.frame
        if frame is not None:
            camera = self.view.viewpoint.camera
            now = camera.scale(frame, self.view.area) * float(frame.matrix[0, 0])
            self.view.viewpoint.look(replace(camera, zoom=camera.zoom / now))
