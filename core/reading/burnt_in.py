"""What is drawn for good into pictures and movies that leave the program."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BurntIn:
    """What a person asked to be burnt in; of itself nothing is, so that the image stays whole.

    heat_map: the model's evidence. measurements: lengths, angles and areas with their figures.
    regions: what readers drew for the model. drawings: those of the file (DICOM overlay planes).
    words: slice number, the model's answer and the label; on a view window and scale bar, too.
    identity: name, number and date of the patient.
    """

    heat_map: bool = False
    measurements: bool = False
    regions: bool = False
    drawings: bool = False
    words: bool = False
    identity: bool = False
