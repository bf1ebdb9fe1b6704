"""Pages that mkdocs generates when it builds the site: every key of conf/, every command of `assay`."""

import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
PARTS = {
    "conf/task": "Defaults of a task",
    "conf/project": "What a project sets",
    "conf/profile": "What a profile cuts short",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add options.md and commands.md (called by mkdocs)."""
    for name, text in {"options.md": options(), "commands.md": commands()}.items():
        files.append(File.generated(config, name, content=text))
    return files


def options() -> str:
    """Every key with its value and the comment beside it, as the files of conf/ have them.

    Where there is no comment, the key's description in the typed model; keys that only the model has follow their task.
    """
    lines = [
        "# Every key",
        "",
        "`python -m pipelines.configure project=cherry` writes the whole configuration to `resolved/cherry.yaml`. "
        "Any key can be set on a stage's command line as `key=value`, and in an experiment's file.",
    ]
    for folder, title in PARTS.items():
        lines += ["", f"## {title}"]
        for path in sorted((ROOT / folder).glob("*.yaml")):
            text = path.read_text("utf-8").replace("# @package _global_\n", "")
            about = [line[2:] for line in text.splitlines() if line.startswith("# ")]
            listed = keys(text, model_of(path))
            if path.parent.name == "task":
                listed += unset(path.stem, {name for name, _, _ in listed})
            rows = [f"| `{key}` | `{shown(value)}` | {said} |" for key, value, said in listed]
            lines += ["", f"### {path.stem}", "", " ".join(about), "", f"`{path.relative_to(ROOT)}`", ""]
            lines += ["| key | value | why |", "|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def model_of(path: Path) -> Any:
    """The typed model of a file of conf/: of its task, of a project's task, or of a profile."""
    from assay.config.base import Profile

    if path.parent.name == "profile":
        return Profile
    return models()[task_of(path.stem) if path.parent.name == "project" else path.stem]


def task_of(project: str) -> str:
    """A project's task, as params.yaml says."""
    chosen: str = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))["projects"][project]["task"]
    return chosen


def models() -> dict[str, Any]:
    """The typed model of every task."""
    from assay.config.schema import Config

    found = nested(Config)
    return {get_args(model.model_fields["task"].annotation)[0]: model for model in found}


def keys(text: str, model: Any) -> list[tuple[str, Any, str]]:
    """(dotted key, value, why) of every leaf of a YAML text: the comment on its line, or what `model` says of it."""
    found: list[tuple[str, Any, str]] = []
    lines = text.splitlines()

    def walk(node: yaml.MappingNode, prefix: str, comments: bool) -> None:
        for key, value in node.value:
            name = prefix + key.value
            fields = fields_of(model, name)
            if isinstance(value, yaml.MappingNode) and value.value and not is_table(value, fields):
                walk(value, f"{name}.", comments and not value.flow_style)
            elif name != "defaults":
                said = lines[key.start_mark.line].partition(" # ")[2].strip() if comments else ""
                said = said or next((field.description for field in fields if field.description), "")
                found.append((name, yaml.safe_load(yaml.serialize(value)), said))

    root = yaml.compose(text)
    if isinstance(root, yaml.MappingNode):
        walk(root, "", comments=True)
    return found


def unset(task: str, known: set[str]) -> list[tuple[str, Any, str]]:
    """(dotted key, default, description) of what a task's model has a default for, and no file of conf/ says."""
    model = models()[task]
    for path in sorted((ROOT / "conf/project").glob("*.yaml")):
        if task_of(path.stem) == task:
            known |= {name for name, _, _ in keys(path.read_text("utf-8"), model)}
    found: dict[str, tuple[str, Any, str]] = {}

    def walk(part: Any, prefix: str) -> None:
        for name, field in part.model_fields.items():
            key = prefix + name
            if key in known or key in ("baseline", "experiment", "profile"):
                continue
            if field.is_required() or any(one.startswith(f"{key}.") for one in known):
                for inner in nested(field.annotation):
                    walk(inner, f"{key}.")
            else:
                default = list(field.default) if isinstance(field.default, tuple) else field.default
                found[key] = (key, default, field.description or "")

    walk(model, "")
    return list(found.values())


def fields_of(model: Any, key: str) -> list[Any]:
    """The fields that a dotted key may be: of a union, every member's; of a dictionary's key, the dictionary."""
    inner, fields = nested(model), []
    for part in key.split("."):
        if not inner:
            return fields
        fields = [one.model_fields[part] for one in inner if part in one.model_fields]
        inner = [one for field in fields for one in nested(field.annotation)]
    return fields


def is_table(value: yaml.MappingNode, fields: list[Any]) -> bool:
    """Whether a mapping's keys are a person's own (names of classes), not keys of the configuration."""
    scalars = all(isinstance(one, yaml.ScalarNode) for _, one in value.value)
    return bool(fields) and scalars and not any(nested(field.annotation) for field in fields)


def nested(annotation: Any) -> list[Any]:
    """The models that an annotation can hold, itself where it is one; not those that are values of a dictionary."""
    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [one for part in get_args(annotation) for one in nested(part)]


def shown(value: Any) -> str:
    """A value as one writes it on a command line."""
    if isinstance(value, dict | list):
        text = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False).strip()
        return text.replace("|", "\\|")
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def commands() -> str:
    """What `assay --help` says of every command, as typer writes it."""
    call = [sys.executable, "-m", "typer", "assay.cli", "utils", "docs", "--name", "assay"]
    return subprocess.run(call, check=True, capture_output=True, text=True, cwd=ROOT).stdout
