"""Nothing identifying leaves: facts by keep-list, names by keyed hash."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DamagedSiteKeyError
from core.imaging import deidentify
from core.imaging.geometry import Geometry
from core.imaging.intensity import Quantity, Window
from core.imaging.volume import ImageWarning, SeriesSummary

CANARY = "ZZCANARY"
KEY = bytes(range(32))


def canary_series() -> SeriesSummary:
    """A series with a canary in every field that can hold text."""
    affine = np.diag([5.0, 0.5, 0.5, 1.0])[[2, 1, 0, 3]]
    return SeriesSummary(
        uid=f"{CANARY}1.2.3",
        case_id=f"{CANARY}case",
        modality=f"{CANARY}CT",
        description=f"{CANARY} head",
        geometry=Geometry((24, 256, 256), affine),
        quantity=Quantity.HU,
        transfer_syntax=f"1.2.840.10008.1.2.{CANARY}",
        slice_ids=(f"{CANARY}sop1", f"{CANARY}sop2"),
        warnings=(ImageWarning("missing-slices", f"{CANARY} slice 7"),),
        windows=(Window(40, 80, f"{CANARY}brain"),),
        patient_name=f"{CANARY}^One",
        patient_id=f"{CANARY}77",
        study_date=f"{CANARY}20260101",
        study_description=f"{CANARY} study",
        path=Path(f"/{CANARY}/x"),
    )


def test_no_canary_survives_in_any_allowed_fact() -> None:
    told = json.dumps(deidentify.allowed_facts(canary_series()))
    assert CANARY not in told


def test_no_value_of_any_text_field_survives_whatever_it_is() -> None:
    summary = canary_series()
    told = json.dumps(deidentify.allowed_facts(summary))
    for name in ("uid", "case_id", "patient_id", "patient_name", "study_date", "description"):
        assert getattr(summary, name) not in told


def test_the_facts_that_a_training_set_needs_are_there() -> None:
    facts = deidentify.allowed_facts(canary_series())
    assert facts["shape"] == [24, 256, 256]
    assert facts["spacing_mm"] == [5.0, 0.5, 0.5]
    assert facts["quantity"] == "HU"
    assert facts["warnings"] == ["missing-slices"]
    assert facts["modality"] == "OT"


@pytest.mark.parametrize(
    ("stated", "told"),
    [("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.90"), ("1.2.840.10008.1.2.x", ""), ("", "")],
)
def test_only_a_standard_transfer_syntax_is_told(stated: str, told: str) -> None:
    from dataclasses import replace

    series = replace(canary_series(), transfer_syntax=stated, modality="CT")
    assert deidentify.allowed_facts(series)["transfer_syntax"] == told
    assert deidentify.allowed_facts(series)["modality"] == "CT"


def test_a_series_without_spacing_states_none() -> None:
    from dataclasses import replace

    series = replace(canary_series(), geometry=Geometry.unknown((1, 8, 8)))
    assert deidentify.allowed_facts(series)["spacing_mm"] is None


@given(st.text(min_size=1).filter(lambda text: text.strip(" \0")))
def test_a_pseudonym_is_stable_short_and_without_its_identifier(identifier: str) -> None:
    name = deidentify.pseudonym(KEY, identifier)
    assert name == deidentify.pseudonym(KEY, f"  {identifier} \0")
    assert len(name) == 10
    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    assert name != deidentify.pseudonym(bytes(32), identifier)


@given(st.lists(st.text("0123456789", min_size=1), unique=True, max_size=50))
def test_different_identifiers_get_different_pseudonyms(identifiers: list[str]) -> None:
    assert len({deidentify.pseudonym(KEY, text) for text in identifiers}) == len(identifiers)


def test_a_pseudonym_agrees_with_an_independent_hmac() -> None:
    # RFC 4231, test case 2: HMAC-SHA256("Jefe", "what do ya want for nothing?") = 5bdcc146…
    assert deidentify.pseudonym(b"Jefe", "what do ya want for nothing?") == "LPOMCRV7MB"


def test_an_empty_identifier_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        deidentify.pseudonym(KEY, "  ")


def test_patients_without_a_number_stay_apart() -> None:
    from dataclasses import replace

    one = replace(canary_series(), patient_id=" ", case_id="a")
    other = replace(one, case_id="b")
    assert deidentify.patient_pseudonym(KEY, one) != deidentify.patient_pseudonym(KEY, other)
    named = replace(one, patient_id="a")
    assert deidentify.patient_pseudonym(KEY, one) != deidentify.patient_pseudonym(KEY, named)


def test_the_site_key_is_made_once_and_only_its_owner_can_read_it() -> None:
    key = deidentify.site_key()
    assert len(key) == 32
    assert key == deidentify.site_key()
    path = deidentify.key_file()
    assert [p.name for p in path.parent.iterdir()] == ["site.key"]
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o644)
        deidentify.site_key()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_damaged_site_key_is_told_and_not_replaced() -> None:
    deidentify.key_file().write_bytes(b"short")
    with pytest.raises(DamagedSiteKeyError) as caught:
        deidentify.site_key()
    assert caught.value.path == deidentify.key_file()
    assert deidentify.key_file().read_bytes() == b"short"


def test_each_profile_has_a_key_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = deidentify.site_key()
    monkeypatch.setenv("SLICELOOP_HOME", str(tmp_path / "other"))
    assert deidentify.site_key() != first
