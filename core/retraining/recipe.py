"""Recipes: everything that a training does, as validated YAML.

A recipe is a file in resources/recipes or one of the person's own. Unknown keys are refused
with the nearest right name; each field says its meaning and unit.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import textwrap
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core import places
from core.errors import BadRecipeError
from core.models.card import Accepts, Preprocessing


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Network(_Section):
    """Which network, and how much of it learns."""

    family: str = "efficientnet-lite0"
    """A family of core.models.architectures.families, such as resnet18 or torchvision:swin_t."""
    options: dict[str, Any] = Field(default_factory=dict)
    """The family's own options, such as {image_size: 224} or {hidden_features: 128}."""
    pretrained_file: str = ""
    """File with the trunk's weights to start from, where `pretrained` cannot fetch them."""
    pretrained: bool = True
    """Start the trunk from its family's pretrained weights (not if a base model is given)."""
    frozen_stages: int = Field(4, ge=0)
    """Stages from the input that keep their weights. The early ones cost most of the time."""
    unfrozen_layers: int | None = Field(None, ge=0)
    """Layers (modules without parts of their own) that learn, counted from the output; none
    given leaves it to `frozen_stages`. Where both are given, a layer learns if both let it."""
    head_epochs: int = Field(0, ge=0)
    """Epochs at the start in which the head alone learns, on a trunk that stands still."""
    feature_epochs: int = Field(0, ge=0)
    """Passes before all epochs in which the head alone is fitted (L-BFGS) to features of the trunk:
    they are computed once, without variation, and kept, so that all passes take a second."""
    head_prior: float = Field(0.0, ge=0)
    """How far such a fit may move answers from those of the head it starts from: the standard
    deviation of a logit's change before anything is learnt. Ten labels then change little, and a
    thousand what they must. 0: no such prior, and weight decay pulls the head towards nothing."""
    frozen_norm: bool = True
    """Keep the statistics of batch norm: with few patients, those of small balanced batches
    mislead (on head CT they cost 0.09 of a fold's AUROC)."""
    dropout: float = Field(0.3, ge=0, lt=1)
    """Share of pooled features that are dropped while training."""


class Sampling(_Section):
    """Which slices an epoch shows."""

    slices_per_epoch: int = Field(704, ge=0)
    """Slices drawn an epoch; 0 shows each slice once, in random order."""
    positive_share: float = Field(0.3, ge=0, le=1)
    """Share of drawn slices that show a finding."""
    hard_negative_share: float = Field(0.3, ge=0, le=1)
    """Share of drawn slices without a finding from patients who have one elsewhere."""


class Augmentation(_Section):
    """How a drawn slice or volume is changed before the network sees it."""

    flip: bool = True
    """Mirror left and right, half of the time."""
    flip_vertical: bool = False
    """Mirror top and bottom, half of the time; for objects without an upright."""
    flip_slices: bool = False
    """Volumes: turn the order of slices round, half of the time; for objects without an upright."""
    rotate_degrees: float = Field(15.0, ge=0, le=180)
    """Largest rotation in the plane of the slices, degrees."""
    tilt_degrees: float = Field(0.0, ge=0, le=180)
    """Volumes: largest rotation about each of the other two axes, degrees."""
    scale: float = Field(0.15, ge=0, lt=1)
    """Largest zoom in or out, as a natural logarithm."""
    shift: float = Field(0.04, ge=0, lt=1)
    """Largest shift, as a part of the side."""
    shear_degrees: float = Field(0.0, ge=0, lt=60)
    """Largest shear, degrees."""
    brightness: float = Field(0.05, ge=0, le=1)
    """Largest change of grey level, of 1."""
    contrast: float = Field(0.15, ge=0, lt=1)
    """Largest relative change of contrast."""
    noise: float = Field(0.02, ge=0, le=1)
    """Largest standard deviation of added noise, of 1."""
    forget_neighbours: float = Field(0.2, ge=0, le=1)
    """Share of slices whose neighbours are replaced by themselves, so that the model also
    answers for a single picture."""
    mixup: float = Field(0.0, ge=0)
    """Both parameters of the beta distribution from which the share of another slice, and of its
    targets, is drawn; 0 mixes nothing. Source: Zhang et al., ICLR 2018."""


class Loss(_Section):
    """What a wrong answer costs."""

    kind: Literal["cross-entropy", "focal"] = "cross-entropy"
    """Cross-entropy (binary for two classes), or focal loss, which tells sure answers less.
    Source: Lin et al., ICCV 2017."""
    focal_gamma: float = Field(2.0, ge=0)
    """How much less: the exponent of (1 − probability of the right class)."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced`: each class weighs as much as every other, as often as it may occur."""
    positive_weight: float = Field(1.0, gt=0)
    """Factor on slices that show a finding, beside the class weights."""


class Explanation(_Section):
    """How marks “look here” and “not here” are learnt, where slices have any."""

    weight: float = Field(0.5, ge=0)
    """Weight of the explanation loss against the label's; 0 leaves marks out."""
    share: float = Field(1.0, ge=0, le=1)
    """Share of the marked training slices whose marks are learnt, drawn by their keys; the others
    show whether the model looks right where nobody told it to."""


class Optimiser(_Section):
    """How weights follow the gradient, and at which rate."""

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    """AdamW; Adam, whose weight decay enters the gradient; or SGD with momentum 0.9."""
    learning_rate: float = Field(3e-4, gt=0)
    """Peak rate of the trunk."""
    head_learning_rate: float = Field(2e-3, gt=0)
    """Peak rate of the head."""
    weight_decay: float = Field(1e-2, ge=0)
    """Weight decay; decoupled with AdamW."""
    stage_decay: float = Field(1.0, gt=0, le=1)
    """Factor on the rate of each stage against the one after it: early stages learn slower."""
    batch_size: int = Field(32, ge=1)
    """Slices a step."""
    accumulate: int = Field(1, ge=1)
    """Parts in which a step's slices are computed one after the other: less memory, same step."""
    schedule: Literal["cosine", "one-cycle", "plateau", "constant"] = "cosine"
    """How the rate runs after its warm-up: down along half a cosine; as cosine, with the
    momentum running against it; divided when the validation loss stands still; or level."""
    warmup: float = Field(0.15, ge=0, lt=1)
    """Part of all steps in which the rate rises to its peak."""
    final_rate: float = Field(0.0, ge=0, lt=1)
    """Where cosine and plateau end, as a part of the peak."""
    plateau_factor: float = Field(0.5, gt=0, lt=1)
    """Under `plateau`: what the rate is multiplied by."""
    plateau_patience: int = Field(2, ge=0)
    """Under `plateau`: epochs without a lower validation loss that are waited for."""
    clip: float = Field(5.0, gt=0)
    """Largest norm of the gradient."""
    ema: float = Field(0.98, ge=0, lt=1)
    """Decay a step of the averaged weights, which are the ones evaluated and kept."""


class Stopping(_Section):
    """When training ends."""

    epochs: int = Field(12, ge=1)
    """Epochs at most; the schedule is laid out over them."""
    monitor: Literal["validation_auroc", "validation_loss"] = "validation_auroc"
    """Which figure tells a better epoch."""
    patience: int = Field(0, ge=0)
    """Epochs without a better one after which it stops; 0 never. With folds the next fold tells,
    which then does not teach: the scored patients choose neither the end nor the weights."""
    min_epochs: int = Field(0, ge=0)
    """Epochs before which it does not stop early, whatever the figure does."""
    keep: Literal["last", "best", "better"] = "last"
    """Weights to keep: of the last epoch; of the best one; or, `better`, of the best one unless
    those that the run started from did better on the validation patients, which are kept then."""


class Threshold(_Section):
    """How the operating threshold is chosen, on validation patients only."""

    rule: Literal["youden", "sensitivity"] = "youden"
    """`youden`: largest sensitivity + specificity; `sensitivity`: at least `target`."""
    target: float = Field(0.9, gt=0, lt=1)
    """Sensitivity to reach under the rule `sensitivity`."""


class Gate(_Section):
    """What a challenger must reach before the window offers promotion without a warning."""

    margin: float = Field(0.02, ge=0, le=1)
    """Largest loss of AUROC, at the interval's lower end, that counts as not worse."""
    sensitivity_margin: float = Field(0.1, ge=0, le=1)
    """Largest loss of sensitivity, each model at its own operating threshold."""
    calibration_margin: float = Field(0.1, ge=0, le=1)
    """Largest rise of the calibration error."""
    negative_flips: float = Field(0.1, ge=0, le=1)
    """Largest share of test slices that were right and are now wrong."""
    subgroup_margin: float = Field(0.1, ge=0, le=1)
    """Largest loss of AUROC in any subgroup of the training set."""
    subgroup_patients: int = Field(8, ge=2)
    """Patients that a subgroup needs in the test part to be judged by itself."""


class Source(_Section):
    """What the model card says about the data; a table does not carry it."""

    name: str = ""
    """Name of the data set, as people know it."""
    licence: str = ""
    """Its licence."""
    citation: str = ""
    """How to cite it."""


class Recipe(_Section):
    """A whole training, as one value."""

    title: str
    """What people read in the menu."""
    description: str = ""
    """One paragraph: when to use it."""
    task: str = ""
    """Label set that the model's classes belong to; "" finds the one that holds them."""
    network: Network = Network()
    preprocessing: Preprocessing = Preprocessing()
    accepts: Accepts | None = None
    """What the trained model may be used on; None derives it from the training set."""
    auxiliary: Literal["all", "none"] = "all"
    """Whether further 0/1 columns of the training set are learnt beside the label."""
    auxiliary_weight: float = Field(0.5, ge=0)
    """Weight of their mean loss against the label's."""
    label_smoothing: float = Field(0.05, ge=0, lt=1)
    """Share by which targets are pulled towards the middle."""
    sampling: Sampling = Sampling()
    augmentation: Augmentation = Augmentation()
    loss: Loss = Loss()
    explanation: Explanation = Explanation()
    optimiser: Optimiser = Optimiser()
    stopping: Stopping = Stopping()
    threshold: Threshold = Threshold()
    gate: Gate = Gate()
    flip_averaging: bool = False
    """Average a slice's answer with that of its mirror image."""
    context: tuple[float, ...] = (1.0,)
    """Weights with which the logits of the slices around one are averaged, itself in the middle;
    [1] answers each slice alone."""
    folds: int = Field(0, ge=0, le=20)
    """0: train once, validate on the validation part. k: cross-validate over all patients that
    are not in the test part, grouped and stratified, then train once on all of them."""
    publish: Literal["final", "folds"] = "final"
    """With folds: `final` trains once more on all of these patients; `folds` publishes the models
    of the folds as one, which vote softly. What the card then tells was measured on each patient
    by the one member that had not seen them."""
    members: int = Field(1, ge=1, le=10)
    """Networks of the published model, trained alike from different seeds, which vote softly;
    under `publish: folds` there is one a fold."""
    storage: Literal["float32", "float16"] = "float32"
    """How weights are written: 16 bits are half as large, and are taken only where no probability
    moves by more than 0.001."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """Numbers that a training computes in: 32 bits, or 16 where that is safe. Weights are kept
    in 32 bits. Half of the numbers need a device that computes with them."""
    seed: int = 0
    """Every random choice follows from it."""
    data: Source = Source()
    limits: tuple[str, ...] = ()
    """Sentences for the model card: what the model must not be trusted with."""


def folder() -> Path:
    """Recipes that ship."""
    return places.resources() / "recipes"


def available() -> list[str]:
    """Names of the recipes that ship."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def load_recipe(name: str, settings: dict[str, Any] | None = None) -> Recipe:
    """A recipe by name or path, with some fields changed.

    settings: dotted field names to values, such as {"stopping.epochs": 5}; text is read as YAML.
    Raises BadRecipeError naming every unknown key (with the nearest right one) and bad value.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else folder() / f"{name}.yaml"
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise BadRecipeError(name, (_no_such(name),)) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadRecipeError(
            name, (f"the file is not YAML: {str(error).splitlines()[0]}",)
        ) from error
    if not isinstance(content, dict):
        raise BadRecipeError(name, ("the file holds no fields",))
    for dotted, value in (settings or {}).items():
        _put(content, dotted, yaml.safe_load(value) if isinstance(value, str) else value)
    return parse_recipe(name, content)


def parse_recipe(name: str, content: dict[str, Any]) -> Recipe:
    """Validate a recipe's fields. Raises BadRecipeError."""
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise BadRecipeError(name, tuple(_problem(item) for item in error.errors())) from error


def flat(fields: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A recipe's fields by dotted name, such as stopping.epochs."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def reference() -> str:
    """All fields with meaning, unit and default, as Markdown; docs/recipes.md holds it."""
    lines: list[str] = []
    for name, field in Recipe.model_fields.items():
        section: Any = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            lines += ["", f"## {name}", "", (section.__doc__ or "").split("\n")[0], ""]
            told = _meanings(section)
            lines += [
                _row(f"{name}.{inner}", f, told.get(inner, ""))
                for inner, f in section.model_fields.items()
            ]
        else:
            lines.append(_row(name, field, _meanings(Recipe).get(name, "")))
    return "\n".join(lines).strip() + "\n"


def _meanings(section: type[BaseModel]) -> dict[str, str]:
    """Field → the text that stands under it in the source, whether or not pydantic keeps it."""
    (defined,) = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    body = defined.body if isinstance(defined, ast.ClassDef) else []
    return {
        field.target.id: text.value.value
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _row(name: str, field: Any, meaning: str) -> str:
    meaning = " ".join(meaning.split())
    default = (
        "required"
        if field.is_required()
        else f"default `{field.get_default(call_default_factory=True)!r}`"
    )
    return f"- `{name}` — {meaning} ({default})"


def _no_such(name: str) -> str:
    near = difflib.get_close_matches(name, available(), 1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(available())}"
    return f"there is no such recipe; {hint}"


def _put(content: dict[str, Any], dotted: str, value: Any) -> None:
    *sections, last = dotted.split(".")
    for section in sections:
        content = content.setdefault(section, {})
    content[last] = value


def _problem(item: Any) -> str:
    place = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        model: Any = Recipe
        for part in item["loc"][:-1]:
            model = model.model_fields[part].annotation
        near = difflib.get_close_matches(str(item["loc"][-1]), list(model.model_fields), 1)
        return f"{place} is no field" + (f", did you mean {near[0]}?" if near else "")
    return f"{place}: {item['msg']}"
