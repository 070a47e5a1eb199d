"""Verbs that change how the open case is shown: each is one key or menu item."""

from __future__ import annotations

from core.case import Case
from core.reading.slab import Projection, Slab


class DisplayVerbs:
    """Of a widget that shows a case; all that they change belongs to the case."""

    _case: Case | None = None

    @property
    def case(self) -> Case | None:
        """The case that is shown."""
        return self._case

    def toggle_annotations(self) -> None:
        """Show or hide the texts over the image."""
        if self._case is not None:
            self._case.show(annotations=not self._case.display.annotations)

    def toggle_heat_map(self) -> None:
        """Show or hide the heat map over the image."""
        if self._case is not None:
            self._case.show(heat_map=not self._case.display.heat_map)

    def toggle_cross_hair(self) -> None:
        """Show or hide the cross-hair of the planes."""
        if self._case is not None:
            self._case.show(cross_hair=not self._case.display.cross_hair)

    def cycle_slab(self) -> None:
        """Single planes, then the highest, lowest and mean values of a slab, then single again."""
        if self._case is None:
            return
        slab = self._case.display.slab
        kinds = list(Projection)
        if slab is None:
            self._case.show(slab=Slab(kinds[0]))
        elif slab.projection is kinds[-1]:
            self._case.show(slab=None)
        else:
            following = kinds[kinds.index(slab.projection) + 1]
            self._case.show(slab=Slab(following, slab.thickness))

    def set_slab(self, projection: Projection | None) -> None:
        """Show slabs of one kind, or single planes."""
        if self._case is not None:
            slab = self._case.display.slab
            thickness = slab.thickness if slab is not None else Slab(Projection.MEAN).thickness
            self._case.show(slab=Slab(projection, thickness) if projection is not None else None)

    def change_slab(self, factor: float) -> None:
        """Make the slab thicker or thinner."""
        if self._case is not None and self._case.display.slab is not None:
            self._case.show(slab=self._case.display.slab.changed(factor))

    def toggle_smooth(self) -> None:
        """Interpolate between pixels, or show each as a square."""
        if self._case is not None:
            self._case.show(smooth=not self._case.display.smooth)

    def toggle_measurements(self) -> None:
        """Show or hide measurements and regions."""
        if self._case is not None:
            shown = not self._case.display.measurements
            self._case.show(measurements=shown, regions=shown)

    def toggle_drawings(self) -> bool:
        """Show or hide what the file draws over its slices; whether it draws anything."""
        if self._case is None:
            return False
        self._case.show(drawings=not self._case.display.drawings)
        return self._case.has_drawings

    def invert(self) -> None:
        """Swap black and white."""
        if self._case is not None:
            self._case.show(inverted=not self._case.display.inverted)
