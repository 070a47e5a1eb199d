"""The brain inside the vault: cortex with its folds, deep grey matter, fluid spaces, cerebellum.

Densities in Hounsfield units: grey matter 37–40, white matter 27–31, cerebrospinal fluid 5–10,
dura and venous blood 48–58.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.sample.patient import Patient
from core.sample.shapes import FAR, Field, Plane, blend, curve, ellipsoid, soft, tube

GREY, WHITE, FLUID, DURA, SINUS_BLOOD = 38.5, 28.0, 7.0, 50.0, 56.0


@dataclass(frozen=True, eq=False)
class Spaces:
    """Where fluid is, as coverage in [0, 1]: lesions fill or crowd these spaces."""

    ventricles: Field
    subarachnoid: Field


def paint_brain(
    image: Field, plane: Plane, inner: Field, patient: Patient, noises: tuple[Field, Field, Field]
) -> Spaces:
    """Paint everything inside the inner table.

    plane: coordinates in which mass effect has already moved the brain; inner: signed distance
    to the inner table in the unmoved head. noises: smooth noise of 22, 14 and 9 mm grain.
    """
    edge = plane.edge
    inside = soft(inner + np.float32(0.4), edge)
    age = patient.atrophy
    depth = -inner - np.float32(0.5 + 1.7 * age) * (1 + np.float32(0.25) * noises[1])
    pia = np.minimum(depth, _midline(plane, age))
    furrow = _sulci(plane, pia, noises, age)
    sylvian = _sylvian(plane, age)
    surface = np.minimum(np.minimum(pia, furrow), sylvian)
    ribbon = soft(surface - np.float32(3.1) - noises[2] * np.float32(0.4), 2.2)
    tissue = WHITE + (GREY - WHITE) * ribbon + noises[1] * np.float32(0.5)
    _paint_deep_grey(tissue, plane)
    subarachnoid = soft(surface, edge * 1.3)
    blend(tissue, subarachnoid, FLUID)
    if plane.level < 16:
        subarachnoid = np.maximum(subarachnoid, _paint_hindbrain(tissue, plane, noises[2], age))
    ventricles = _ventricles(plane, age)
    blend(tissue, ventricles, FLUID - 1)
    _paint_dura(tissue, plane, inner)
    blend(image, inside, tissue)
    return Spaces(ventricles * inside, subarachnoid * inside)


def _midline(plane: Plane, age: float) -> Field:
    """Distance to the medial surface of a hemisphere; large where the halves are joined."""
    y, z = plane.y, plane.z
    gap = plane.ax - np.float32(0.5 + 0.8 * age) * (1 + np.clip((-y - 20) / 40, 0, 0.8))
    # Corpus callosum, thalami and midbrain join the halves: an egg between genu and splenium.
    joined = 1 - ((y - 6) / 40) ** 2 - ((z + 1) / 29) ** 2
    far: Field = gap + np.clip(joined * 90, 0, 60)
    return far.astype(np.float32)


def _sulci(plane: Plane, pia: Field, noises: tuple[Field, Field, Field], age: float) -> Field:
    """Distance to the wall of the nearest sulcus, negative inside its fluid.

    Sulci fan out from the middle of each hemisphere; noise bends, forks and ends them.
    """
    reach = np.clip(1 - (plane.z / 78) ** 2, 0.15, 1)
    middle = 30 * np.sqrt(reach)
    across = (plane.ax - middle) / 34
    along = (plane.y - 16) / (84 * np.sqrt(reach))
    around = np.arctan2(along, across)
    walls = np.full_like(pia, FAR)
    for turns, bend, deep in ((8.0, 2.6, 15.0), (15.0, 2.4, 8.0)):
        phase = around * np.float32(turns / 2) + noises[0] * np.float32(bend)
        phase = (phase + noises[1] * np.float32(0.7)) * np.float32(1 / np.pi)
        off = phase - np.rint(phase)
        gradient_y, gradient_x = np.gradient(phase, plane.edge)
        steep = np.sqrt(gradient_x**2 + gradient_y**2) + np.float32(0.012)
        line = np.abs(off) / steep + (steep > 0.5) * np.float32(9)  # where the angle wraps
        past = np.clip(pia - deep * (0.85 + 0.55 * noises[2]), 0, None)
        width = np.float32(0.55 + 0.7 * age) * (1 + np.float32(0.45) * noises[1])
        wall = np.sqrt(line * line + past * past) - width
        walls = np.minimum(walls, wall)
    # The base of the brain is smoother, and its fluid spaces are painted for themselves.
    return walls + np.clip((-plane.z - 14) / 10, 0, 1) * np.float32(0.8)


def _sylvian(plane: Plane, age: float) -> Field:
    width = 0.9 + 1.4 * age
    insula = tube(
        plane,
        ((37, -24, -6, width), (41, -6, 0, width + 0.3), (39, 16, 7, width)),
        flat=(1, 1, 0.09 * (1 + width)),
    )
    stem = tube(
        plane, ((39, -19, -6, width), (64, -26, -6, width + 0.8)), flat=(1, 1, 0.10 * (1 + width))
    )
    ramus = tube(
        plane, ((40, 14, 8, width * 0.8), (64, 27, 16, width)), flat=(1, 1, 0.10 * (1 + width))
    )
    nearest: Field = np.minimum(np.minimum(insula, stem), ramus)
    return nearest


def _paint_deep_grey(tissue: Field, plane: Plane) -> None:
    if not -22 < plane.level < 36:
        return
    edge = plane.edge * 1.6
    nuclei = (
        ellipsoid(plane, (13.5, -17, 6), (6.0, 11.0, 13.0), turn=-12),
        tube(plane, ((14, -8, 16, 3.4), (18, 12, 24, 2.6))),
        ellipsoid(plane, (25.5, -2, 1), (6.8, 17.0, 12.0), turn=14),
        ellipsoid(plane, (11.5, 17, 5), (8.5, 14.5, 11.0), turn=24),
    )
    for nucleus in nuclei:
        blend(tissue, soft(nucleus, edge), GREY - 0.5)
    callosum = tube(plane, ((0, -26, 4, 4), (0, -20, 20, 3.5), (0, 10, 27, 3.0)), mirrored=False)
    blend(tissue, soft(callosum, edge), WHITE)


def _ventricles(plane: Plane, age: float) -> Field:
    grow = 0.72 + 0.70 * age
    joints = (
        (6.5, -35, -1, 1.6),
        (8.0, -27, 6, 4.0),
        (8.0, -12, 14, 4.2),
        (8.0, 4, 20, 4.4),
        (12.0, 20, 22, 4.8),
        (20.0, 33, 17, 6.0),
        (24.0, 42, 8, 6.0),
        (22.5, 56, 3, 3.4),
        (19.0, 69, 3, 0.9),
    )
    horn = ((24.0, 42, 8, 5.0), (31.0, 31, -6, 3.0), (34.0, 12, -16, 2.3), (31.0, -4, -20, 2.0))
    covered = np.zeros_like(plane.x)
    if plane.level > -34:
        lateral = tube(plane, _grown(joints, grow))
        caudate = ellipsoid(plane, (14.5, -17, 6), (5.6, 10.0, 13.0), turn=-12)
        lateral = np.maximum(lateral, -caudate - np.float32(0.2))
        lateral = np.minimum(lateral, tube(plane, _grown(horn, grow), flat=(1.2, 1, 1)))
        covered = soft(np.maximum(lateral, np.float32(0.7) - plane.ax), plane.edge)
        third = ellipsoid(plane, (0, 9, -3), (0.9 + 2.4 * age, 15, 10), mirrored=False)
        covered = np.maximum(covered, soft(third, plane.edge))
    if plane.level < 0:
        fourth = ellipsoid(plane, (0, 45, -31), (6.5 + 2 * age, 4.6 + age, 10), mirrored=False)
        covered = np.maximum(covered, soft(fourth, plane.edge))
    return covered


def _grown(
    joints: tuple[tuple[float, float, float, float], ...], grow: float
) -> tuple[tuple[float, float, float, float], ...]:
    return tuple((x, y, z, radius * grow) for x, y, z, radius in joints)


def _paint_hindbrain(tissue: Field, plane: Plane, fine: Field, age: float) -> Field:
    """Paint cerebellum, brain stem and the cisterns around them; returns their fluid."""
    ax, y, z, edge = plane.ax, plane.y, plane.z, plane.edge
    ahead = np.where(y < 54, np.float32(0.028), np.float32(0.011))
    tent = 7 - 0.56 * ax - ahead * (y - 54) ** 2 + fine * 1.2
    behind = curve(z, ((-70, 26), (-35, 28), (-10, 33), (10, 42)))
    posterior = np.maximum((z - tent) * 0.75, behind - y).astype(np.float32)
    stem = ellipsoid(plane, (0, 27, -33), (15.5, 13.5, 17), mirrored=False)
    midbrain = np.minimum(
        ellipsoid(plane, (0, 25, -13), (13, 11, 12), mirrored=False),
        ellipsoid(plane, (9, 14, -13), (7.5, 9, 12), turn=-35),
    )
    stem = np.minimum(stem, midbrain) + fine * np.float32(0.5)
    stem = np.minimum(stem, tube(plane, ((0, 32, -44, 9.5), (0, 42, -66, 7.5)), mirrored=False))
    hind = np.minimum(posterior, stem)
    fluid = np.zeros_like(ax)

    cistern = np.minimum(
        ellipsoid(plane, (0, 0, -20), (13 + 3 * age, 11, 6.5), mirrored=False),
        ellipsoid(plane, (0, 14, -32), (17, 8, 17), mirrored=False),
    )
    ambient = stem - np.float32(2.0 + 1.6 * age)
    ambient = np.maximum(ambient, np.abs(z + 13) - np.float32(8))
    quad = ellipsoid(plane, (0, 39, -3), (11 + 3 * age, 4.5, 8), mirrored=False)
    angle = tube(plane, ((15, 20, -32, 3.0), (24, 26, -35, 3.2)))
    magna = ellipsoid(plane, (0, 92, -52), (13, 8 + 3 * age, 12), mirrored=False)
    temporal = tube(plane, ((12, -4, -19, 2.0), (36, -19, -12, 1.6 + age)))
    for space in (cistern, ambient, quad, angle, temporal):
        fluid = np.maximum(fluid, soft(space, edge))
    blend(tissue, fluid, FLUID)

    folds = np.sin((np.sqrt(ax * ax + (y - 38) ** 2) + fine * 2.2) * np.float32(1.05))
    leaves = 35.5 + 5.0 * np.clip(folds, -0.9, 0.4)
    core = soft(ellipsoid(plane, (17, 58, -32), (13, 17, 11)), 6.0)
    leaves = leaves - 4.0 * core
    cerebellum = soft(posterior, edge)
    rim = soft(np.abs(posterior + np.float32(0.6)) - np.float32(0.3 + 0.5 * age), edge)
    blend(tissue, cerebellum, leaves.astype(np.float32))
    fluid = fluid * (1 - cerebellum)
    brain_stem = soft(stem, edge)
    blend(tissue, brain_stem, 33.0)
    fluid = fluid * (1 - brain_stem)
    cover = soft(magna, edge)
    blend(tissue, cover, FLUID)
    blend(tissue, rim * (1 - brain_stem) * np.float32(0.55), FLUID)
    tentorium = soft(np.abs(z - tent - 1.2).astype(np.float32) - np.float32(1.5), 2.0)
    tentorium = tentorium * soft(np.float32(44) - y, 3.0) * soft(-hind - np.float32(0.5), 2.0)
    blend(tissue, tentorium * np.float32(0.6), DURA)
    total: Field = np.maximum(fluid, cover)
    return total


def _paint_dura(tissue: Field, plane: Plane, inner: Field) -> None:
    """Paint falx and sagittal sinus: bright lines in the middle that are not blood."""
    y, z = plane.y, plane.z
    free = ((y - 8) / 50) ** 2 + ((z + 4) / 40) ** 2
    present = np.clip((free - 1) * 5, 0, 1) * np.clip((z + 12) / 6, 0, 1)
    line = soft(plane.ax - np.float32(0.55), plane.edge) * present
    blend(tissue, line.astype(np.float32) * np.float32(0.8), DURA)
    if plane.level > -16:
        triangle = plane.ax * np.float32(1.1) + (-inner) * np.float32(0.8) - np.float32(4.2)
        behind = np.clip((y - 40) / 20, 0, 1) + np.clip((z - 35) / 15, 0, 1)
        sinus = soft(triangle, plane.edge) * np.clip(behind, 0, 1)
        blend(tissue, sinus, SINUS_BLOOD)
