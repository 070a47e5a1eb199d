"""The input guard: whether a series is what a model was made for, said before it predicts."""

from __future__ import annotations

from core.imaging.intensity import Quantity
from core.imaging.volume import SeriesSummary
from core.models.card import Card

_PLAIN = {
    Quantity.HU: "Hounsfield units",
    Quantity.SIGNAL: "signal values without a scale",
    Quantity.GREY: "8-bit grey levels",
    Quantity.COLOUR: "colour pictures",
}
_TRUST_BREAKING = {
    "missing-slices": "slices are missing, so that neighbours are not where the model expects them",
    "several-patients": "it holds slices of more than one patient",
    "mixed-orientation": "its slices have different orientations",
}


def refusals(card: Card, series: SeriesSummary) -> tuple[str, ...]:
    """Why the model must not be asked about this series; empty if it may be.

    Each is a clause in plain words, such as "its pixels are colour pictures".
    """
    accepts, found = card.accepts, []
    if series.quantity not in accepts.quantities:
        wanted = " or ".join(_PLAIN[quantity] for quantity in accepts.quantities)
        found.append(f"it needs {wanted}, and this series has {_PLAIN[series.quantity]}")
    if (
        accepts.modalities
        and series.quantity in (Quantity.HU, Quantity.SIGNAL)
        and series.modality
        and series.modality not in accepts.modalities
    ):
        found.append(
            f"it was trained on {', '.join(accepts.modalities)}, "
            f"and this series is {series.modality}"
        )
    if card.preprocessing.dimensions == 3 and not (series.is_volume and series.shape[0] > 1):
        found.append("it needs a volume, and the slices of this series cannot be stacked")
    return tuple(found)


def cautions(card: Card, series: SeriesSummary) -> tuple[str, ...]:
    """What speaks against trusting the answers; shown beside them. Sentences."""
    accepts, geometry, found = card.accepts, series.geometry, []
    if accepts.axial_only and geometry.has_orientation and abs(geometry.normal[2]) < 0.7:
        found.append("The model was trained on axial slices; this series is not axial.")
    limit = accepts.max_tilt_degrees
    if limit is not None and series.is_volume and geometry.tilt_degrees > limit:
        found.append(
            f"The gantry was tilted by {geometry.tilt_degrees:.1f}°; the model was trained "
            f"on up to {limit:g}°."
        )
    wanted = accepts.plane_distance_mm
    if wanted is not None and geometry.has_spacing and geometry.shape[0] > 1:
        distance = geometry.plane_distance
        if not wanted[0] <= distance <= wanted[1]:
            found.append(
                f"Slices are {distance:.2f} mm apart; the model was trained on "
                f"{wanted[0]:g} to {wanted[1]:g} mm."
            )
    near = accepts.pixel_spacing_mm
    if near is not None and geometry.has_spacing:
        pixel = max(geometry.spacing[1:])
        if not near[0] <= pixel <= near[1]:
            found.append(
                f"Pixels are {pixel:.2f} mm apart; the model was trained on "
                f"{near[0]:g} to {near[1]:g} mm."
            )
    count, some = series.shape[0], accepts.slices
    if some is not None and not some[0] <= count <= some[1]:
        found.append(
            f"The series has {count} {'slice' if count == 1 else 'slices'}; the model was "
            f"trained on series of {some[0]} to {some[1]}."
        )
    if _is_windowed_elsewhere(card, series):
        found.append(
            "These grey levels were windowed elsewhere; the model sets its own window "
            f"({card.preprocessing.window_center:g}/{card.preprocessing.window_width:g}) on "
            "Hounsfield units."
        )
    codes = {warning.code for warning in series.warnings}
    found.extend(
        f"Answers are less certain here: {clause}."
        for code, clause in _TRUST_BREAKING.items()
        if code in codes
    )
    return tuple(found)


def _is_windowed_elsewhere(card: Card, series: SeriesSummary) -> bool:
    """8-bit CT from a DICOM object, whose window is not that of pictures made for the model."""
    return (
        series.quantity is Quantity.GREY
        and series.modality == "CT"
        and Quantity.HU in card.accepts.quantities
    )
