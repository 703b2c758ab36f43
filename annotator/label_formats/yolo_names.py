"""What a YOLO data set says of itself: its classes' names, and the key points of a pose data set."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from annotator.label_formats.records import LabelFileError, as_whole, read_text

NAME_FILES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml", "classes.txt", "obj.names")
_ENDS = ("head", "tail")
_PLAIN_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map", "int", "float", "bool", "null"))


@dataclass(frozen=True)
class KeyPoints:
    """The key points of every row. ends: what each is, `head`, `tail` or "" for another; values: 2 or 3 each."""

    ends: tuple[str, ...]
    values: int


@dataclass(frozen=True)
class DataSet:
    """names: by class number; a class without a name has none here. file: where they stand."""

    file: Path
    names: Mapping[int, str]
    key_points: KeyPoints | None = None


def read_data_set(path: Path) -> DataSet:
    """Return the names that stand in a folder or the one above it.

    Raises:
        LabelFileError: there is no such file, or it cannot be read.
    """
    for folder in (path, path.parent):
        for name in NAME_FILES:
            file = folder / name
            if file.is_file():
                return _from_yaml(file) if file.suffix in (".yaml", ".yml") else DataSet(file, _from_lines(file))
    raise LabelFileError(f"{path}: found none of {', '.join(NAME_FILES)}; wanted the species' names in one of them")


def _from_lines(file: Path) -> dict[int, str]:
    # labelImg, darknet and CVAT count an empty line as a class: what follows keeps its number.
    return {number: line.strip() for number, line in enumerate(read_text(file).splitlines()) if line.strip()}


def _from_yaml(file: Path) -> DataSet:
    try:
        document = yaml.load(read_text(file), Loader=_PlainLoader)
        if not isinstance(document, dict):
            raise ValueError(f"found a {type(document).__name__}")
        return DataSet(file, _names(document.get("names")), _key_points(document))
    except RecursionError:
        raise LabelFileError(f"{file}: nested too deeply for a list of names") from None
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise LabelFileError(f"{file}: wanted `names:` with a list of species ({reason})") from None


class _PlainLoader(yaml.BaseLoader):  # type: ignore[misc]
    """Builds texts, lists and mappings only (`NO` is no truth value); a key that stands twice is refused."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        if node.tag not in _PLAIN_TAGS and not node.tag.startswith("tag:yaml.org,2002:timestamp"):
            raise yaml.constructor.ConstructorError(None, None, f"found the tag {node.tag[:60]!r}", node.start_mark)
        return super().construct_object(node, deep=deep)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        keys: set[str] = set()
        for key in (key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key in keys:
                raise yaml.constructor.ConstructorError(None, None, f"{key[:60]!r} stands twice", node.start_mark)
            keys.add(key)
        found: dict[Hashable, object] = super().construct_mapping(node, deep=deep)
        return found


def _names(written: object) -> dict[int, str]:
    if isinstance(written, list):
        pairs = list(enumerate(written))
    elif isinstance(written, dict):
        pairs = [(_class_number(key), name) for key, name in written.items()]
    else:
        raise ValueError("found no names" if written is None else f"found {str(written)[:40]!r}")
    if len({number for number, _ in pairs}) < len(pairs):
        raise ValueError("a class has two names")
    return {number: text for number, name in pairs if (text := _species_text(name))}


def _class_number(key: object) -> int:
    number = as_whole(key)
    if number is None or number < 0:
        raise ValueError(f"found {str(key)[:40]!r} as the number of a class")
    return number


def _species_text(name: object) -> str:
    # A list of aliases of lists is small in memory, and gigabytes when it is written out.
    if not isinstance(name, str):
        raise ValueError(f"found a {type(name).__name__} as a name")
    return name.strip()


def _key_points(document: Mapping[str, object]) -> KeyPoints | None:
    shape = document.get("kpt_shape")
    if shape is None:
        return None
    sides = [as_whole(side) for side in shape] if isinstance(shape, list) and len(shape) == 2 else []
    if len(sides) != 2 or sides[0] is None or not 0 < sides[0] <= 1000 or sides[1] not in (2, 3):
        raise ValueError("'kpt_shape' is no [number of points, 2 or 3]")
    count, values = sides[0], sides[1]
    names = _point_names(document.get("kpt_names"))
    if names is None:
        # Two points of a fish are its head and its tail, in this order; of more nobody says which is which.
        names = list(_ENDS) if count == 2 else []
    ends = [name if name in _ENDS else "" for name in names[:count]]
    return KeyPoints(tuple(ends + [""] * (count - len(ends))), 3 if values == 3 else 2)


def _point_names(written: object) -> list[str] | None:
    """Return the names of the key points, of the first class where every class has its own."""
    if isinstance(written, dict) and written:
        written = next(iter(written.values()))
    return (
        [str(name).strip().lower() for name in written if isinstance(name, str)] if isinstance(written, list) else None
    )
