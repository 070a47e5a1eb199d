"""Hemorrhages, and the benign brightness that is mistaken for them.

Blood that has just clotted measures 55–75 HU; calcium and the skull's beam hardening look alike
for a model and, now and then, for a person.
"""

from __future__ import annotations

import numpy as np

from core.sample.brain import Spaces
from core.sample.patient import Finding, Patient
from core.sample.shapes import Field, Plane, blend, ellipsoid, soft, tube


def push(plane: Plane, patient: Patient) -> tuple[Field, Field]:
    """How far (x, y in mm) blood has pushed the brain away at each place: the mass effect."""
    x = np.zeros_like(plane.x)
    y = np.zeros_like(plane.x)
    for finding in patient.findings:
        if finding.kind not in ("epidural", "subdural", "intraparenchymal"):
            continue
        cx, cy, cz = finding.centre
        strength = {"epidural": 0.42, "subdural": 0.55, "intraparenchymal": 0.22}[finding.kind]
        away = ((plane.x - cx) / 62) ** 2 + ((plane.y - cy) / 52) ** 2 + ((plane.z - cz) / 45) ** 2
        fall = np.exp(-away) * np.float32(finding.size * strength)
        if finding.kind == "intraparenchymal":
            dx, dy = plane.x - cx, plane.y - cy
            length = np.sqrt(dx * dx + dy * dy + 80)
            x += fall * dx / length
            y += fall * dy / length
        else:
            x -= fall * np.float32(np.sign(cx))
    return x, y


def paint_findings(
    image: Field,
    plane: Plane,
    moved: Plane,
    inner: Field,
    patient: Patient,
    spaces: Spaces,
    noises: tuple[Field, Field, Field],
) -> dict[str, Field]:
    """Paint every finding of the patient; returns the coverage of each kind of blood.

    moved: the plane in the coordinates of the pushed brain, for what belongs to the brain.
    """
    blood: dict[str, Field] = {}
    inside = soft(inner + np.float32(0.3), plane.edge)
    for finding in patient.findings:
        if finding.is_blood:
            cover = _BLOOD[finding.kind](image, plane, moved, inner, finding, spaces, noises)
            cover = cover * inside
            clot = np.float32(finding.value) + noises[2] * np.float32(2.5)
            blend(image, cover, clot)
            before = blood.get(finding.kind)
            blood[finding.kind] = cover if before is None else np.maximum(before, cover)
        else:
            _paint_look_alike(image, plane, moved, inner, finding, noises[2])
    return blood


def _epidural(
    _image: Field,
    plane: Plane,
    _moved: Plane,
    _inner: Field,
    finding: Finding,
    _spaces: Spaces,
    noises: tuple[Field, Field, Field],
) -> Field:
    """A lens: the part of a ball from outside the vault that reaches into it."""
    cx, cy, cz = finding.centre
    radius = 42.0
    side = float(np.sign(cx))
    centre = (cx + side * (radius - finding.size), cy, cz)
    ball = ellipsoid(plane, centre, (radius, radius, radius * 0.86), mirrored=False)
    return soft(ball + noises[1] * np.float32(0.7), plane.edge)


def _subdural(
    _image: Field,
    plane: Plane,
    _moved: Plane,
    inner: Field,
    finding: Finding,
    _spaces: Spaces,
    noises: tuple[Field, Field, Field],
) -> Field:
    """A crescent along one hemisphere, thickest at the finding's centre, tapering off."""
    cx, cy, cz = finding.centre
    along = np.clip(1 - ((plane.y - cy) / 66) ** 2, 0, 1) ** np.float32(0.75)
    upward = np.clip(1 - ((plane.z - cz) / 34) ** 2, 0, 1)
    lateral = np.clip((plane.x * np.sign(cx) - 10) / 14, 0, 1)
    thickness = finding.size * along * upward * lateral + noises[1] * 0.6 - 0.6
    return soft((-inner - thickness).astype(np.float32), plane.edge)


def _intraparenchymal(
    image: Field,
    plane: Plane,
    _moved: Plane,
    inner: Field,
    finding: Finding,
    spaces: Spaces,
    noises: tuple[Field, Field, Field],
) -> Field:
    """A ragged clot in the basal ganglia, with a dark rim of oedema painted around it."""
    cx, cy, cz = finding.centre
    size = finding.size
    clot = ellipsoid(
        plane,
        (cx, cy, cz),
        (size * 0.74, size * 1.15, size * 0.9),
        turn=12.0 * float(np.sign(cx)),
        mirrored=False,
    )
    clot = clot + noises[1] * np.float32(2.2) + noises[2] * np.float32(1.4)
    oedema = soft(clot - np.float32(6.5) - noises[0] * np.float32(2.0), 5.0)
    oedema = oedema * soft(inner + np.float32(4), 3.0) * (1 - spaces.ventricles)
    blend(image, oedema * np.float32(0.95), 19.0)
    return soft(clot, plane.edge * 1.6)


def _subarachnoid(
    _image: Field,
    plane: Plane,
    _moved: Plane,
    _inner: Field,
    finding: Finding,
    spaces: Spaces,
    _noises: tuple[Field, Field, Field],
) -> Field:
    """Blood in the fluid of sulci, fissure and cisterns around a place."""
    cx, cy, cz = finding.centre
    size = finding.size
    away = ((plane.x - cx * 0.75) / size) ** 2 + ((plane.y - cy) / size) ** 2
    away = away + ((plane.z - cz) / (size * 0.62)) ** 2
    spread = np.clip(2.6 * np.exp(-away * np.float32(0.9)) - 0.6, 0, 1)
    cover: Field = spaces.subarachnoid * spread
    return cover


def _intraventricular(
    _image: Field,
    plane: Plane,
    moved: Plane,
    _inner: Field,
    finding: Finding,
    spaces: Spaces,
    _noises: tuple[Field, Field, Field],
) -> Field:
    """Blood that has sunk to the back of the ventricles of a patient who lies on it.

    centre: x is the side (−1, 1, or 0 for both), y the fluid level.
    """
    side, level, _ = finding.centre
    sunk = soft(np.float32(level) - plane.y + (1 - finding.size) * np.float32(4), 2.0)
    if side:
        sunk = sunk * soft(-moved.x * np.float32(side), 2.0)
    return spaces.ventricles * sunk * np.clip((plane.z + 18) / 4, 0, 1)


_BLOOD = {
    "epidural": _epidural,
    "subdural": _subdural,
    "intraparenchymal": _intraparenchymal,
    "subarachnoid": _subarachnoid,
    "intraventricular": _intraventricular,
}


def _paint_look_alike(
    image: Field, plane: Plane, moved: Plane, inner: Field, finding: Finding, fine: Field
) -> None:
    size = finding.size
    if finding.kind == "choroid-plexus":
        x, y, z = finding.centre
        speck = tube(moved, ((x - 1, y - 3, z + 5, size * 0.7), (x + 1.5, y + 2, z - 3, size)))
        blend(image, soft(speck + fine * np.float32(0.9), plane.edge * 1.3), finding.value)
    elif finding.kind == "pineal":
        gland = ellipsoid(moved, finding.centre, (size, size * 1.2, size * 1.1), mirrored=False)
        blend(image, soft(gland + fine * np.float32(0.4), plane.edge * 1.2), finding.value)
    elif finding.kind == "falx":
        _, y, z = finding.centre
        plaque = ellipsoid(moved, (0, y, z), (1.5, size, size), mirrored=False)
        blend(image, soft(plaque + fine * np.float32(0.3), plane.edge), finding.value)
    elif finding.kind == "beam-hardening":
        # A bright haze inside the skull and a dark bar between the petrous bones.
        near = np.exp(np.clip(inner, -60, 0) * np.float32(1 / 4.5)) * (inner < 0)
        image += near.astype(np.float32) * np.float32(finding.value)
        x, y, z = finding.centre
        bar = np.exp(-(((plane.y - y) / 7) ** 2) - ((plane.z - z) / 8) ** 2)
        within = np.clip(1 - (plane.ax / 36) ** 4, 0, 1) * (inner < 0)
        image -= (bar * within).astype(np.float32) * np.float32(16)
