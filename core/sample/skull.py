"""Everything around the brain: air, table, scalp, vault, skull base, orbits and sinuses.

Sizes are those of an adult head, in millimetres from the anterior commissure; densities are
Hounsfield units from the radiology of the head (cortical bone 1,000–1,800, diploë 400–800,
fat −100 to −60, muscle 45–60, vitreous 5–10, lens 60–100).
"""

from __future__ import annotations

import numpy as np

from core.sample.patient import Patient
from core.sample.shapes import Field, Plane, blend, curve, ellipsoid, soft, tube

AIR, FAT, SKIN, MUSCLE = -1000.0, -92.0, 40.0, 52.0
TABLE_BONE, DIPLOE, BASE_BONE = 1350.0, 620.0, 1150.0

_FRONT, _BACK, _TOP, _WIDEST = -69.0, 102.0, 73.0, 22.0


def cavity(plane: Plane) -> Field:
    """Signed distance to the inner table of the vault, negative inside."""
    z = plane.z
    width = curve(z, ((-80, 44), (-60, 52), (-45, 58.5), (-25, 64), (-10, 66.5), (5, 67.5)))
    back = curve(z, ((-80, 68), (-55, 82), (-40, 91), (-20, 98), (-5, 101.5), (10, 102)))
    dy = plane.y - np.float32(_WIDEST)
    length = np.where(dy < 0, np.float32(_WIDEST - _FRONT), back - np.float32(_WIDEST))
    # The forehead is narrower than the parietal bones.
    width = width * (np.float32(1.0) - np.float32(0.10) * np.clip(-dy / 90, 0, 1))
    u, v = plane.x / width, dy / length
    up = np.clip(z, 0, None) * np.float32(1 / _TOP)
    dome = curve(up * 100, tuple((float(k), float((k / 100) ** 2.5)) for k in range(0, 130, 4)))
    uu, vv = u * u, v * v
    # The last term makes the oval a little boxy, as heads are.
    rho = np.sqrt(uu + vv - np.float32(0.16) * uu * vv + dome + np.float32(1e-6))
    slope_u = u * (1 - np.float32(0.16) * vv) / width
    slope_v = v * (1 - np.float32(0.16) * uu) / length
    slope_z = np.float32(1.25 / _TOP) * up ** np.float32(1.5)
    slope = np.sqrt(slope_u**2 + slope_v**2 + slope_z**2 + np.float32(1e-7)) / rho
    distance: Field = (rho - 1) / slope
    return distance


def paint_outside(
    image: Field, plane: Plane, inner: Field, patient: Patient, grain: Field
) -> Field:
    """Paint scalp and vault over air; what lies inside the inner table comes later.

    inner: from `cavity`. grain: smooth noise, for diploë and fat.
    Returns the signed distance to the skin.
    """
    edge = plane.edge
    thickness = bone_thickness(plane, patient)
    temple = (
        curve(plane.z, ((-60, 9), (-25, 8.5), (5, 6), (38, 0)))
        * np.exp(-(((plane.y + 22) / 26) ** 2))
        * np.clip((plane.ax - 30) / 20, 0, 1)
    )
    scalp = np.float32(patient.scalp) + grain * np.float32(0.35) + temple * np.float32(1.05)
    scalp = scalp + swelling(plane, patient)
    skin: Field = inner - thickness - scalp
    if plane.level < 5:
        skin = np.minimum(skin, _face(plane))
    blend(image, soft(skin, edge), SKIN)
    blend(image, soft(skin + np.float32(2.6), edge), FAT + grain * np.float32(8))
    blend(image, soft(inner - thickness - temple - np.float32(2.2), edge), MUSCLE)
    swollen = swelling(plane, patient)
    if swollen.any():
        depth = inner - thickness - swollen * np.float32(0.8)
        blend(image, soft(depth, edge) * np.clip(swollen, 0, 1), 58.0)
    outer = inner - thickness
    vault = soft(outer, edge)
    if plane.level < -8:
        # Below the brow the front of the vault gives way to the face.
        vault = vault * np.clip((plane.y + 58) / 6 + np.clip((plane.z + 17) / 3, 0, 3), 0, 1)
    blend(image, vault, TABLE_BONE)
    core = np.maximum(outer + np.float32(1.9), np.float32(1.8) - inner)
    blend(image, soft(core, edge * 1.5), DIPLOE + grain * np.float32(140))
    return skin


def bone_thickness(plane: Plane, patient: Patient) -> Field:
    """Thickness of the vault in millimetres: thick front and back, thin at the temples."""
    front = np.clip((-plane.y - 45) / 25, 0, 1)
    back = np.clip((plane.y - 70) / 25, 0, 1) * np.clip(1 - plane.ax / 45, 0, 1)
    side = np.clip((plane.ax - 48) / 15, 0, 1) * np.clip((32 - plane.z) / 20, 0, 1)
    brow = np.clip((-plane.y - 40) / 20, 0, 1) * np.exp(
        -((plane.ax / 26) ** 2) - ((plane.z + 12) / 14) ** 2
    )
    thickness: Field = np.float32(patient.bone) + 1.6 * front + 2.6 * back - 2.6 * side
    thickness = thickness + np.float32(2.0 + 6.5 * patient.sinus) * brow
    return thickness.astype(np.float32)


def swelling(plane: Plane, patient: Patient) -> Field:
    """Extra thickness of the scalp in millimetres where it was struck."""
    if patient.bruise is None:
        return np.zeros_like(plane.x)
    x, y, z, height = patient.bruise
    away = ((plane.x - x) / 26) ** 2 + ((plane.y - y) / 26) ** 2 + ((plane.z - z) / 20) ** 2
    return np.float32(height) * np.exp(-away.astype(np.float32))


def _face(plane: Plane) -> Field:
    drop = np.clip((-plane.z - 4) / 18, 0, 1)
    face = ellipsoid(plane, (0, -40, -50), (66, 51, 62), mirrored=False)
    nose = tube(plane, ((0, -84, -22, 5), (0, -96, -44, 9), (0, -100, -58, 11)), mirrored=False)
    ear = ellipsoid(plane, (77, 24, -32), (2.6, 13, 24), turn=-28)
    hollow = ellipsoid(plane, (80, 25, -32), (2.8, 9, 18), turn=-28)
    ear = np.maximum(ear, -hollow)
    near: Field = np.minimum(np.minimum(face, nose), ear)
    return near + (1 - drop) * np.float32(40)


def paint_base(
    image: Field,
    plane: Plane,
    inner: Field,
    skin: Field,
    patient: Patient,
    noises: tuple[Field, Field],
) -> None:
    """Paint skull base, petrous bones, sinuses and orbits over the brain of the low slices.

    inner, skin: signed distances to the inner table and to the skin. noises: smooth noise of
    8 mm grain for bone, and of 3 mm for air cells.
    """
    if plane.level > 18:
        return
    grain, fine = noises
    edge = plane.edge
    painted = image.copy()
    if plane.level < 0:
        _paint_front_base(painted, plane, grain, edge)
        _paint_petrous(painted, plane, fine, edge)
        _paint_orbits(painted, plane, edge)
        _paint_air_cells(painted, plane, fine, edge)
    _paint_frontal_sinus(painted, plane, inner, patient, fine, edge)
    blend(image, soft(skin + np.float32(2.3), edge), painted)


def _paint_front_base(image: Field, plane: Plane, grain: Field, edge: float) -> None:
    ax, y, z = plane.ax, plane.y, plane.z
    pole = -36 + np.clip(np.abs(ax - 37) / 19, 0, 2) ** 2 * 13
    sella = curve(z, ((-60, 16), (-45, 9), (-30, 0), (-22, -8), (-14, -30)))
    blend_in = np.clip((ax - 11) / 9, 0, 1)
    front = sella * (1 - blend_in) + pole * blend_in
    bulge = np.exp(-(((ax - 31) / 15) ** 2) - ((y + 52) / 20) ** 2)
    roof = -21.5 + 9.5 * bulge + grain * 0.8
    base = np.maximum(y - front, z - roof).astype(np.float32)
    blend(image, soft(base, edge), BASE_BONE + grain * np.float32(150))
    beside = np.maximum(ax - 14, -74 - y)
    within = np.maximum(base + np.float32(3.2), -beside)
    outside = np.maximum(np.maximum(within, y + 34), plane.z + 24)
    blend(image, soft(outside.astype(np.float32), edge), MUSCLE + grain * np.float32(6))
    clivus = tube(plane, ((0, -2, -24, 5), (0, 12, -48, 8), (0, 18, -60, 8)), mirrored=False)
    blend(image, soft(clivus, edge), BASE_BONE)
    wing = tube(plane, ((12, -24, -19, 2.2), (32, -33, -20, 2.4), (54, -44, -18, 3.0)))
    blend(image, soft(wing, edge), TABLE_BONE)


def _paint_petrous(image: Field, plane: Plane, fine: Field, edge: float) -> None:
    ridge = tube(
        plane, ((13, 6, -37, 4.5), (34, 15, -33, 7.5), (54, 27, -34, 12), (62, 32, -44, 14))
    )
    foot = tube(plane, ((12, 12, -50, 7), (36, 18, -48, 9), (58, 30, -48, 14)))
    blend(image, soft(np.minimum(ridge, foot), edge), 1500.0)
    cells = np.maximum(
        ellipsoid(plane, (60, 30, -42), (11, 13, 17), turn=25), np.float32(0.35) - fine * 1.0
    )
    blend(image, soft(cells, edge), -700.0)
    canal = tube(plane, ((46, 14, -43, 3.0), (78, 18, -43, 3.6)))
    blend(image, soft(canal, edge), -950.0)
    cochlea = ellipsoid(plane, (40, 14, -38), (4, 3, 4))
    blend(image, soft(cochlea, edge), 300.0)


def _paint_orbits(image: Field, plane: Plane, edge: float) -> None:
    orbit = tube(plane, ((18, -35, -31, 4), (25, -50, -32, 12.5), (31, -70, -34, 19.5)))
    lid = np.maximum(orbit, -(plane.y + 83))
    blend(image, soft(orbit - np.float32(2.4), edge) * np.clip((plane.y + 74) / 5, 0, 1), 1050.0)
    blend(image, soft(lid, edge), FAT + 8)
    for muscle in (
        ((15.5, -40, -32, 1.6), (17.5, -58, -33, 2.2), (21, -68, -34, 1.3)),
        ((19, -40, -32, 1.6), (37, -55, -33, 2.2), (43, -67, -34, 1.3)),
    ):
        blend(image, soft(tube(plane, muscle, flat=(1, 1, 0.45)), edge), MUSCLE)
    nerve = tube(plane, ((16.5, -36, -31, 1.7), (24, -50, -32.5, 2.0), (30.5, -59, -34, 2.1)))
    blend(image, soft(nerve, edge), 36.0)
    globe = ellipsoid(plane, (31.5, -70, -34), (12.2, 12.6, 12.2))
    blend(image, soft(globe, edge), 50.0)
    blend(image, soft(globe + np.float32(1.5), edge), 9.0)
    lens = ellipsoid(plane, (31.5, -79, -34), (4.8, 2.1, 4.8))
    blend(image, soft(lens, edge), 95.0)


def _paint_air_cells(image: Field, plane: Plane, fine: Field, edge: float) -> None:
    ethmoid = np.maximum(plane.ax - np.float32(12.5), np.abs(plane.y + 58) - np.float32(21))
    ethmoid = np.maximum(ethmoid, plane.z + np.float32(23))
    blend(image, soft(ethmoid - np.float32(1.0), edge), 500.0)
    septa = np.minimum(
        np.abs(plane.ax - 0.3), np.abs(np.sin((plane.y + fine * 1.5) * np.float32(0.36))) * 2.6
    )
    cells = np.maximum(ethmoid, np.float32(0.75) - septa)
    blend(image, soft(cells, edge), -960.0)
    sphenoid = ellipsoid(plane, (6.6, -21, -37), (6.0, 11, 12))
    blend(image, soft(sphenoid, edge), -980.0)
    bridge = tube(plane, ((0.5, -86, -24, 1.6), (6.5, -80, -28, 2.0), (9, -78, -50, 2.2)))
    blend(image, soft(bridge, edge), 1000.0)


def _paint_frontal_sinus(
    image: Field, plane: Plane, inner: Field, patient: Patient, fine: Field, edge: float
) -> None:
    size = patient.sinus
    if size <= 0:
        return
    within = np.maximum(np.float32(2.2) - inner, inner - bone_thickness(plane, patient) + 2.2)
    reach = ellipsoid(plane, (9, -76, -13), (14 * size, 16, 15 * size))
    air = np.maximum(np.maximum(within, reach + fine * np.float32(1.6)), plane.y + 45)
    air = np.maximum(air, np.float32(1.0) - np.abs(plane.x - 2 - 0.2 * plane.z))
    blend(image, soft(air.astype(np.float32), edge), -970.0)


def paint_table(image: Field, across: Field, down: Field, edge: float) -> None:
    """Paint the headrest: a carbon-fibre trough under the head, with its foam.

    across, down: scanner coordinates in mm from the centre of the field of view. Only air is
    painted over.
    """
    air = image < -900
    radius = np.sqrt(across * across + (down + 22) ** 2)
    shell = np.abs(radius - np.float32(135)) - np.float32(1.4)
    lower = np.float32(20) - down
    trough = soft(np.maximum(shell, lower), edge)
    foam = soft(np.maximum(np.abs(radius - np.float32(127)) - np.float32(6), lower), edge)
    image += np.where(air, foam * np.float32(25), 0)
    image += np.where(air, trough * (np.float32(190) - image), 0)
