"""Pages that mkdocs generates when it builds the site: every key of conf/, every command of `assay`."""

import subprocess
import sys
from pathlib import Path
from typing import Any

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
    """Every key with its value and the comment beside it, as the files of conf/ have them."""
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
            rows = [f"| `{key}` | `{shown(value)}` | {said} |" for key, value, said in keys(text)]
            lines += ["", f"### {path.stem}", "", " ".join(about), "", f"`{path.relative_to(ROOT)}`", ""]
            lines += ["| key | value | why |", "|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def keys(text: str) -> list[tuple[str, Any, str]]:
    """(dotted key, value, comment on its line) of every leaf of a YAML text."""
    found: list[tuple[str, Any, str]] = []
    lines = text.splitlines()

    def walk(node: yaml.MappingNode, prefix: str) -> None:
        for key, value in node.value:
            name = prefix + key.value
            if isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
                walk(value, f"{name}.")
            elif name != "defaults":
                said = lines[key.start_mark.line].partition(" # ")[2].strip()
                found.append((name, yaml.safe_load(yaml.serialize(value)), said))

    root = yaml.compose(text)
    if isinstance(root, yaml.MappingNode):
        walk(root, "")
    return found


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
