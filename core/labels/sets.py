"""Label sets in YAML: the classes among which a reader chooses, in each language.

Shipped sets lie in `resources/labels/<id>.yaml`; a person's own in `labels/<id>.yaml` of the
settings folder. An own set never shadows a shipped one: labels already given under that id
would change their meaning.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from core import places
from core.errors import BadLabelSetError
from core.labels.schema import LabelClass, LabelSet

LARGEST_FILE = 64 * 1024
"""Bytes; a label set is a page of text."""

_ID = re.compile(r"[a-z][a-z0-9_-]{0,63}")

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
Names = Annotated[dict[Language, Name], Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _ClassFile(_Strict):
    id: Identifier
    names: Names
    positive: bool
    colour: Colour
    key: Annotated[int, Field(ge=0, le=9)] = 0


class _SetFile(_Strict):
    id: Identifier
    names: Names
    classes: Annotated[list[_ClassFile], Field(min_length=2, max_length=64)]

    @model_validator(mode="after")
    def _whole(self) -> _SetFile:
        for owner, names in [(self.id, self.names), *((c.id, c.names) for c in self.classes)]:
            if "en" not in names:
                raise ValueError(f"“{owner}” has no English name (en)")
        ids = [item.id for item in self.classes]
        if len(set(ids)) != len(ids):
            raise ValueError("two classes have the same id")
        keys = [item.key for item in self.classes if item.key]
        if len(set(keys)) != len(keys):
            raise ValueError("two classes have the same key")
        if len({item.positive for item in self.classes}) != 2:
            raise ValueError("it needs a class that is positive and one that is not")
        return self


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML without anchors, which can grow without bound, and without repeated keys."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.constructor.ConstructorError(None, None, "aliases are not allowed", mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for place, key in enumerate(keys):
            if key in keys[:place]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"“{key}” stands there twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def own_sets_folder() -> Path:
    """Where a person's own label sets lie; it need not exist."""
    return places.settings_folder() / "labels"


def _shipped_folder() -> Path:
    return places.resources() / "labels"


def available_label_sets() -> tuple[str, ...]:
    """Ids of all label sets, the shipped ones first, each part in alphabetical order.

    A file is listed by its name; whether it is valid is told when it is loaded.
    """
    shipped = sorted(file.stem for file in _shipped_folder().glob("*.yaml"))
    own = sorted(file.stem for file in own_sets_folder().glob("*.yaml"))
    return (*shipped, *(name for name in own if name not in shipped))


def load_label_set(set_id: str) -> LabelSet:
    """The label set of that id, the person's own sets included.

    Raises BadLabelSetError if there is none, or if its file is not valid.
    """
    name = f"{set_id}.yaml"
    # The id becomes a file name: nothing but an identifier may reach the folder.
    if _ID.fullmatch(set_id):
        for folder in (_shipped_folder(), own_sets_folder()):
            if (folder / name).is_file():
                found = read_label_set(folder / name)
                if found.id != set_id:
                    raise BadLabelSetError(
                        folder / name, f"its id is “{found.id}”, its file name says “{set_id}”"
                    )
                return found
    raise BadLabelSetError(Path(name), f"there is no label set “{set_id}”", available_label_sets())


def read_label_set(path: Path) -> LabelSet:
    """Read and check one YAML file. Raises BadLabelSetError."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise BadLabelSetError(path, "it is larger than a label set can be")
        # _PlainLoader is a SafeLoader.
        content = yaml.load(path.read_text("utf-8-sig"), Loader=_PlainLoader)  # noqa: S506
        checked = _SetFile.model_validate(content)
    except OSError as error:
        raise BadLabelSetError(path, error.strerror or "it cannot be read") from error
    except UnicodeDecodeError as error:
        raise BadLabelSetError(path, "it is not UTF-8 text") from error
    except yaml.YAMLError as error:
        raise BadLabelSetError(path, f"it is not valid YAML{_line(error)}") from error
    except RecursionError as error:
        raise BadLabelSetError(path, "it is nested too deep") from error
    except ValidationError as error:
        raise BadLabelSetError(path, _first_problem(error)) from error
    return LabelSet(
        checked.id,
        dict(checked.names),
        tuple(
            LabelClass(item.id, dict(item.names), item.positive, item.colour.lower(), item.key)
            for item in checked.classes
        ),
    )


def _line(error: yaml.YAMLError) -> str:
    problem = getattr(error, "problem", None)
    mark = getattr(error, "problem_mark", None)
    where = f" in line {mark.line + 1}" if mark is not None else ""
    return f"{where}: {problem}" if problem else where


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(step) for step in first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
