"""Who the phantoms are: each patient's own anatomy and findings, drawn from the seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SUBTYPES = ("intraventricular", "intraparenchymal", "subarachnoid", "epidural", "subdural")
"""Kinds of hemorrhage, in the order of the truth table's columns."""


@dataclass(frozen=True)
class Finding:
    """Something bright in the head.

    kind: one of SUBTYPES for blood, or one of LOOK_ALIKES for what only looks like it.
    centre: (x, y, z) in head millimetres. size: millimetres; its meaning depends on the kind.
    value: Hounsfield units at its core.
    """

    kind: str
    centre: tuple[float, float, float]
    size: float
    value: float

    @property
    def is_blood(self) -> bool:
        """Whether this is a hemorrhage."""
        return self.kind in SUBTYPES


LOOK_ALIKES = ("choroid-plexus", "pineal", "falx", "beam-hardening")
"""Benign brightness that models mistake for blood."""


@dataclass(frozen=True)
class Patient:
    """One synthetic patient.

    number: 1, 2, 3 … turn, roll, pitch: degrees by which the head lies askew in the scanner.
    shift: (x, y, z) mm. scale: of the head along x, y, z. bone, scalp: mm. atrophy: 0 young, 1
    old: wider sulci and ventricles. sinus: size of the frontal sinus, 0 none. noise: standard
    deviation in HU. bruise: (x, y, z, height) of a scalp swelling in mm, or None.
    """

    number: int
    turn: float
    roll: float
    pitch: float
    shift: tuple[float, float, float]
    scale: tuple[float, float, float]
    bone: float
    scalp: float
    atrophy: float
    sinus: float
    noise: float
    bruise: tuple[float, float, float, float] | None
    findings: tuple[Finding, ...]

    @property
    def patient_id(self) -> str:
        """DICOM Patient ID, which says what it is."""
        return f"PHANTOM-{self.number:03d}"


_NUMBERS = ("One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")


def spoken(number: int) -> str:
    """The number as a word, as far as names need one."""
    return _NUMBERS[number - 1] if number <= len(_NUMBERS) else str(number)


def draw_patient(number: int, seed: int) -> Patient:
    """Patient `number` of the set that `seed` stands for; the same for ever.

    The kinds of findings take turns, so that any six patients in a row hold each of them:
    epidural; subdural; none, with calcifications; intraparenchymal with blood in the
    ventricles; none at all; subarachnoid and intraventricular.
    """
    rng = np.random.default_rng((seed, number))
    side = float(rng.choice((-1.0, 1.0)))
    atrophy = float(rng.uniform(0.1, 0.9))
    turn = (number - 1) % 6
    findings: tuple[Finding, ...]
    bruise = None

    def near(x: float, y: float, z: float, spread: float = 4.0) -> tuple[float, float, float]:
        dx, dy, dz = rng.uniform(-spread, spread, 3)
        return x + float(dx), y + float(dy), z + float(dz)

    calcified = (
        Finding("choroid-plexus", (21, 41, 12), float(rng.uniform(2.2, 3.2)), 190.0),
        Finding("pineal", (0, 31, 2), float(rng.uniform(2.2, 3.0)), 170.0),
    )
    if turn == 0:
        centre = near(side * 66, 24, 24)
        findings = (Finding("epidural", centre, float(rng.uniform(15, 19)), 68.0), calcified[1])
        bruise = (side * 76, centre[1] + 4, centre[2] + 2, 7.0)
        atrophy *= 0.4
    elif turn == 1:
        centre = near(side * 60, 8, 22, 6)
        findings = (Finding("subdural", centre, float(rng.uniform(9, 12)), 64.0), calcified[0])
        atrophy = max(atrophy, 0.4)
    elif turn == 2:
        findings = (*calcified, Finding("falx", (0, -42, 42), 9.0, 260.0))
        atrophy = max(atrophy, 0.6)
    elif turn == 3:
        centre = near(side * 27, 6, 8)
        findings = (
            Finding("intraparenchymal", centre, float(rng.uniform(15, 19)), 68.0),
            Finding("intraventricular", (side, 44, -2), 1.0, 60.0),
            calcified[1],
        )
    elif turn == 4:
        findings = (Finding("beam-hardening", (0, 18, -34), 1.0, 9.0), calcified[1])
    else:
        findings = (
            Finding("subarachnoid", near(side * 46, -12, -6), 34.0, 58.0),
            Finding("intraventricular", (0, 52, -2), 0.7, 58.0),
        )
    return Patient(
        number=number,
        turn=float(rng.uniform(-9, 9)),
        roll=float(rng.uniform(-4, 4)),
        pitch=float(rng.uniform(-5, 5)),
        shift=(float(rng.uniform(-5, 5)), float(rng.uniform(-3, 3)), float(rng.uniform(-3, 3))),
        scale=(
            float(rng.uniform(0.95, 1.04)),
            float(rng.uniform(0.95, 1.03)),
            float(rng.uniform(0.97, 1.03)),
        ),
        bone=float(rng.uniform(5.6, 7.4)),
        scalp=float(rng.uniform(4.4, 7.0)),
        atrophy=atrophy,
        sinus=float(rng.choice((0.0, 0.7, 1.0, 1.2))),
        noise=float(rng.uniform(2.5, 3.4)),
        bruise=bruise,
        findings=findings,
    )
