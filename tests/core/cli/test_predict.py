"""`sliceloop predict` and `models`: files, options, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from core.bench.series_maker import make_series
from core.cli.main import run
from core.imaging.intensity import Quantity
from core.models.card import Accepts, Preprocessing
from tests.core.models.making import make_model, network


@pytest.fixture
def series(tmp_path: Path) -> Path:
    (tmp_path / "ct").mkdir()
    make_series(tmp_path / "ct", 4, side=64)
    return tmp_path / "ct"


def _predict(series: Path, model: Path, *words: str) -> tuple[int, Path]:
    out = model.parent / "out"
    common = ["predict", str(series), "--model", str(model), "--out", str(out)]
    return run([*common, *(() if "--device" in words else ("--device", "cpu")), *words]), out


def test_answers_and_heat_maps_become_files(series: Path, tmp_path: Path) -> None:
    make_model(tmp_path / "m", members=2, threshold=0.4)
    words = ("--explain", "--explain-class", "no_hemorrhage", "--tta", "--runtime", "torch")
    code, out = _predict(series, tmp_path / "m", *words)
    assert code == 0
    found = json.loads((out / "predictions.json").read_text())
    assert found["runtime"] == "torch f32 on CPU"
    assert found["mirror_averaging"] is True
    (one,) = found["series"]
    assert one["series_rule"] == "max"
    assert one["heat_maps"]["class"] == "no_hemorrhage"
    shares = [item["probabilities"]["hemorrhage"] for item in one["slices"]]
    assert one["series_probability"] == max(shares)
    for item, share in zip(one["slices"], shares, strict=True):
        assert item["spread"][0] <= share <= item["spread"][1]
        assert item["explained_class_is_predicted"] is (share < 0.4)
    pictures = sorted(file.name for file in (out / "overlays" / "001").iterdir())
    assert pictures[:4] == ["0001.png", "0002.png", "0003.png", "0004.png"]
    if one["heat_maps"]["top"] > 0:
        with Image.open(out / "overlays" / "001" / "colour-bar.png") as bar:
            assert bar.size == (120, 276)


def test_a_folder_of_volumes_gets_one_answer_each_and_maps_on_the_voxels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import SimpleITK

    (tmp_path / "nii").mkdir()
    random = np.random.default_rng(0)
    affine: tuple[float, ...] = (1, 0, 0, 0, 0, 1, 0, -1, 0)  # coronal slices
    for name in ("a", "b"):
        voxels = random.normal(100, 20, (12, 20, 24)).astype(np.float32)
        image = SimpleITK.GetImageFromArray(voxels)
        image.SetSpacing((1.0, 1.5, 4.0))
        image.SetOrigin((-10.0, 20.0, 30.0))
        image.SetDirection(affine)
        SimpleITK.WriteImage(image, str(tmp_path / "nii" / f"{name}.nii.gz"))
    cube = Preprocessing(dimensions=3, size=32, crop="whole")
    make_model(
        tmp_path / "m",
        family="resnet3d",
        options={"widths": [4, 4, 4, 4]},
        preprocessing=cube,
        members=5,
        accepts=Accepts(quantities=(Quantity.SIGNAL,)),
    )
    code, out = _predict(tmp_path / "nii", tmp_path / "m", "--explain", "--runtime", "torch")
    assert code == 0
    assert "2 volumes answered" in capsys.readouterr().out
    found = json.loads((out / "predictions.json").read_text())
    assert len(found["series"]) == 2
    for number, one in enumerate(found["series"], start=1):
        share = one["probabilities"]["hemorrhage"]
        assert one["series_probability"] == share
        assert one["spread"][0] <= share <= one["spread"][1]
        assert one["spread"][0] < one["spread"][1]
        assert one["slices"] == []
        assert one["heat_maps"]["volume"] == f"heat-maps/{number:03d}.nii.gz"
        evidence = SimpleITK.ReadImage(str(out / one["heat_maps"]["volume"]))
        assert evidence.GetSize() == image.GetSize()
        for fact in ("GetSpacing", "GetOrigin", "GetDirection"):
            assert getattr(evidence, fact)() == pytest.approx(getattr(image, fact)(), abs=1e-5)
    rows = (out / "slices.csv").read_text().splitlines()
    assert len(rows) == 3


@pytest.mark.parametrize(
    "words", [("--runtime", "x"), ("--precision", "int8"), ("--explain-class", "x")]
)
def test_wrong_words_are_wrong_usage(series: Path, tmp_path: Path, words: tuple[str, str]) -> None:
    make_model(tmp_path / "m")
    assert _predict(series, tmp_path / "m", *words)[0] == 2


def test_a_device_that_is_not_there_is_a_sentence(
    series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_model(tmp_path / "m")
    assert _predict(series, tmp_path / "m", "--device", "tpu")[0] == 1
    assert "no device “tpu”" in capsys.readouterr().err


def test_a_precision_that_was_not_checked_is_refused(
    series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_model(tmp_path / "m")
    assert _predict(series, tmp_path / "m", "--precision", "bf16")[0] == 1
    assert "bf16" in capsys.readouterr().err


def test_a_weight_file_is_imported_and_joined(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in (1, 2):
        save_file(network(1, seed).state_dict(), tmp_path / f"W {seed}.safetensors")
        words = ["models", "import", str(tmp_path / f"W {seed}.safetensors")]
        said = ["--family", "plain-cnn", "--classes", "no_hemorrhage,hemorrhage"]
        rest = ["--positive", "hemorrhage", "--task", "hemorrhage", "--size", "32"]
        assert run([*words, *said, *rest]) == 0
        assert f"w-{seed}" in capsys.readouterr().out
    assert run([*words, *said]) == 2
    assert run([*words, *said, *rest, "--preprocessing", "{size: 4}"]) == 2
    assert run([*words, *said, *rest, "--options", "nonsense"]) == 2
    capsys.readouterr()
    assert run(["models", "ensemble", "w-1", "w-2", "--name", "both"]) == 0
    assert "2 members" in capsys.readouterr().out
    assert run(["models", "ensemble", "w-1", "--name", "alone"]) == 2
