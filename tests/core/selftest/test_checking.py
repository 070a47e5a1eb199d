"""Checks run in their order; what needs a failed one is not run; any defect is a failure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import DamagedModelError
from core.selftest import shipped
from core.selftest.checking import Check, CheckFailedError, Outcome, require, run_checks


def _fail(error: Exception) -> str:
    raise error


def test_what_needs_a_failed_check_is_not_run() -> None:
    heard: list[Outcome] = []
    checks = [
        Check("one", lambda: "found"),
        Check("two", lambda: _fail(CheckFailedError("it is missing")), ["one"]),
        Check("three", lambda: "never", ["two"]),
        Check("four", lambda: "never", ["three"]),
    ]
    outcomes = run_checks(checks, heard.append)
    assert [(one.name, one.verdict) for one in outcomes] == [
        ("one", "passed"),
        ("two", "failed"),
        ("three", "not run"),
        ("four", "not run"),
    ]
    assert outcomes[1].told == "it is missing"
    assert "two" in outcomes[2].told
    assert heard == list(outcomes)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (DamagedModelError(Path("m"), "its hash differs"), "its hash differs"),
        (ModuleNotFoundError("No module named 'timm'"), "ModuleNotFoundError: No module named"),
    ],
)
def test_any_error_is_a_failure_in_one_line(error: Exception, told: str) -> None:
    (outcome,) = run_checks([Check("one", lambda: _fail(error))])
    assert outcome.verdict == "failed"
    assert told in outcome.told and "\n" not in outcome.told


def test_require_says_what_is_wrong() -> None:
    require(True, "never")
    with pytest.raises(CheckFailedError, match="because"):
        require(False, "because")


def test_every_decoder_is_tried_once() -> None:
    from core.imaging.dicom import codecs

    tried = {codecs._DECODERS[syntax] for syntax in shipped._encoders()}
    assert tried == set(codecs._DECODERS.values())
    assert "transfer syntaxes" in shipped.check_transfer_syntaxes()


def test_a_codec_that_changes_pixels_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.imaging.dicom import codecs

    right = codecs._DECODERS["1.2.840.10008.1.2.4.80"]

    def wrong(data: bytes, layout: object) -> tuple[np.ndarray, str]:
        array, photometric = right(data, layout)  # type: ignore[arg-type]
        return array + np.uint16(1), photometric

    monkeypatch.setitem(codecs._DECODERS, "1.2.840.10008.1.2.4.80", wrong)
    with pytest.raises(CheckFailedError, match="JPEG-LS"):
        shipped.check_transfer_syntaxes()


def test_recipes_and_label_sets_are_counted() -> None:
    assert "label sets" in shipped.check_recipes()
