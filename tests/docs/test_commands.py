"""Every command that README and the documentation show exists, with these arguments: nothing here is run."""

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
import typer
import yaml

from assay.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# other programs' commands, whose options are theirs
FOREIGN = {"export", "source", "curl", "git", "cd", "uv", "pip", "docker", "apt-get", "ray"}
FENCE = re.compile(r"^```(?:sh|bash)\n(.*?)^```", re.M | re.S)


def shown():
    """(page, command as words) of every line in a block of shell commands."""
    for page in PAGES:
        for block in FENCE.findall(page.read_text("utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                for part in line.partition(" # ")[0].strip().split(" && "):
                    if part and not part.startswith("#"):
                        yield pytest.param(shlex.split(part), id=f"{page.stem}: {part[:60]}")


def parse(command, arguments):
    """Let click read the arguments, down to the last subcommand, without calling it."""
    with command.make_context(command.name, list(arguments)) as context:
        if isinstance(command, click.Group) or hasattr(command, "commands"):
            rest = [*context._protected_args, *context.args]
            if rest or not command.invoke_without_command:
                _, inner, remaining = command.resolve_command(context, rest)
                parse(inner, remaining)


def stages(file):
    """Names of a dvc.yaml's stages, and of the templates they come from."""
    listed = yaml.safe_load((ROOT / file).read_text("utf-8"))["stages"]
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    return {f"{name}@{key}" for name in listed for key in (*params["projects"], *params["sweeps"])} | {
        *listed
    }


def check_make(words):
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.M)
    variables = re.findall(r"^([A-Z]+) \?=", (ROOT / "Makefile").read_text("utf-8"), re.M)
    for word in words:
        name, given, value = word.partition("=")
        assert name in (variables if given else targets), word
        if name == "EXP" and value:
            assert (ROOT / f"conf/sweep/{value}.yaml").is_file(), word
        if name == "PROFILE" and value:
            assert (ROOT / f"conf/profile/{value}.yaml").is_file(), word


def check_dvc(words):
    if words[0] == "repro":
        for word in (word for word in words[1:] if not word.startswith("-")):
            file, given, stage = word.rpartition(":")
            assert stage in stages(file if given else "dvc.yaml"), word
    elif words[:2] == ["exp", "run"]:
        key = words[words.index("-S") + 1].partition("=")[0]
        node = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
        for part in key.split("."):
            node = node[part]
    else:
        assert words[0] in ("metrics", "remote", "push", "pull", "dag"), words


def check_module(words):
    assert words[0] == "-m", words
    module, *overrides = words[1:]
    path = ROOT / (module.replace(".", "/") + ".py")
    assert path.is_file() or path.with_suffix("").is_dir(), module
    if module.startswith("pipelines.") and any("=" in word for word in overrides):
        from assay.config import compose

        compose([word for word in overrides if "=" in word and not word.startswith("sweep=")])


@pytest.mark.parametrize("words", shown())
def test_a_command_of_the_documentation_exists(words):
    while "=" in words[0]:  # variables of this call
        words = words[1:]
    program, rest = words[0], words[1:]
    if program == "assay":
        parse(typer.main.get_command(app), rest)
    elif program == "make":
        check_make(rest)
    elif program == "dvc":
        check_dvc(rest)
    elif program == "python":
        check_module(rest) if rest[0] == "-m" else (ROOT / rest[0]).read_text("utf-8")
    else:
        assert program in FOREIGN, f"what is {program}?"


def test_every_page_is_in_the_navigation():
    nav = (ROOT / "mkdocs.yml").read_text("utf-8").partition("nav:")[2]
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in PAGES[1:]}
    assert pages == set(re.findall(r"\S+\.md", nav)) - {"options.md", "commands.md"}


@pytest.mark.slow
def test_the_site_is_built_and_needs_no_other_place(tmp_path):
    build = ["mkdocs", "build", "--quiet", "--site-dir", tmp_path]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    options = (tmp_path / "options.html").read_text("utf-8")
    assert "train.select_share" in options and "kept back from training" in options
    assert "assay sweep request" in (tmp_path / "commands.html").read_text("utf-8")
    assert "wilson" in (tmp_path / "reference.html").read_text("utf-8")
    for page in tmp_path.rglob("*.html"):
        fetched = re.findall(
            r"<(?:script|img|iframe)[^>]* src=\"?(https?://[^\">]+)", page.read_text("utf-8")
        )
        assert not fetched, (page, fetched)
