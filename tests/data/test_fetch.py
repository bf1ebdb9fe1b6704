import hashlib
import subprocess
from pathlib import Path

import pytest
import yaml

from assay.data.fetch import fetch, read_checksums
from assay.data.source import read_source, write_source
from assay.errors import UserError

FILES = {
    "train/a/1.png": b"one",
    "train/a/2.png": b"two",
    "train/b/3.png": b"three",
    "val/b/4 ü.png": b"four",
}
COUNTS = {"train/a": 2, "train/b": 1, "val/b": 1}


def write(folder, files=FILES):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.fixture
def mirror(tmp_path):
    write(tmp_path / "mirror/cherry")
    return tmp_path / "mirror"


@pytest.fixture
def recipe(tmp_path):
    def recipe(**changes):
        lines = [
            f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(FILES.items())
        ]
        (tmp_path / "cherry.sha256").write_text("".join(lines))
        entry = {"url": "nowhere", "rev": "1234567", "path": "data", "checksums": "cherry.sha256"}
        entry |= {"counts": COUNTS, "licence": "none stated"} | changes
        (tmp_path / "sources.yaml").write_text(yaml.safe_dump({"cherry": entry}))
        return tmp_path / "sources.yaml"

    return recipe


@pytest.fixture
def get(tmp_path, mirror, recipe):
    default = recipe()

    def get(project="cherry", **options):
        return fetch(project, tmp_path / "data", **({"mirror": mirror, "recipe": default} | options))

    return get


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "SOURCE.yaml"
    }


def test_a_mirror_is_copied_verified_and_described(get, tmp_path):
    source = get()
    assert contents(tmp_path / "data/cherry") == FILES
    assert read_source(tmp_path / "data/cherry") == source
    assert source["source"] == "original" and source["counts"] == COUNTS and "1234567" in source["note"]


def test_originals_that_are_there_are_left_alone(get, mirror):
    source = get()
    (mirror / "cherry/train/a/1.png").unlink()  # would be refused if it were read again
    assert get() == source


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda folder: (folder / "train/a/2.png").write_bytes(b"altered"),
            r"cherry/train/a/2\.png: not the published",
        ),
        (lambda folder: (folder / "val/b/4 ü.png").unlink(), r"cherry/val/b/4 ü\.png: missing"),
        (lambda folder: [path.write_bytes(b"") for path in folder.rglob("*.png")], r"1\.png and 3 more"),
    ],
    ids=["altered", "missing", "all altered"],
)
def test_a_mismatch_is_refused_by_name_and_replaces_nothing(get, mirror, tmp_path, change, message):
    write(tmp_path / "data/cherry", {"train/a/mine.png": b"mine"})
    change(mirror / "cherry")
    with pytest.raises(UserError, match=message):
        get(force=True)
    assert contents(tmp_path / "data/cherry") == {"train/a/mine.png": b"mine"}


def test_counts_are_checked_beside_the_checksums(get, recipe):
    with pytest.raises(UserError, match="the recipe says"):
        get(recipe=recipe(counts=COUNTS | {"val/b": 2}))


def test_the_sample_gives_way_by_itself(get, tmp_path):
    write(tmp_path / "data/cherry", {"train/a/s.png": b"s"})
    write_source(tmp_path / "data/cherry", project="cherry", kind="sample", note="")
    assert get()["source"] == "original"


def test_other_data_is_replaced_by_force_only(get, tmp_path):
    write(tmp_path / "data/cherry", {"train/a/s.png": b"s"})
    with pytest.raises(UserError, match=r"source 'own'.*force"):
        get()
    assert contents(tmp_path / "data/cherry") == {"train/a/s.png": b"s"}
    assert get(force=True)["source"] == "original"
    assert contents(tmp_path / "data/cherry") == FILES


def test_modified_originals_count_as_other_data(get, tmp_path):
    get()
    (tmp_path / "data/cherry/train/a/1.png").write_bytes(b"edited")
    with pytest.raises(UserError, match="modified original"):
        get()


def test_an_unknown_project_names_the_nearest(get):
    with pytest.raises(UserError, match="did you mean 'cherry'"):
        get("chery")


def test_a_mirror_without_the_project_says_what_a_mirror_is(get, tmp_path):
    with pytest.raises(UserError, match="MIRROR is the folder that holds cherry/"):
        get(mirror=tmp_path / "mirror/cherry")


def test_a_recipe_with_a_key_left_out_names_it(get, tmp_path):
    (tmp_path / "short.yaml").write_text("cherry: {url: u}")
    with pytest.raises(UserError, match="rev, path, checksums, counts, licence"):
        get(recipe=tmp_path / "short.yaml")


def test_a_broken_checksum_line_is_named(tmp_path):
    (tmp_path / "sums").write_text(f"{'0' * 64}  a.png\nabc b.png\n")
    with pytest.raises(UserError, match="line 2"):
        read_checksums(tmp_path / "sums")


def test_dvc_gets_the_pinned_revision_of_a_git_repository(get, recipe, tmp_path):
    origin = tmp_path / "origin"
    write(origin / "data")

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        command = ["git", *identity, "-C", str(origin), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "publish")
    revision = git("rev-parse", "--short", "HEAD")
    (origin / "data/train/a/1.png").write_bytes(b"a later change")
    git("commit", "-qam", "change")

    source = get(mirror=None, recipe=recipe(url=str(origin), rev=revision))
    assert source["source"] == "original" and contents(tmp_path / "data/cherry") == FILES


def test_an_origin_out_of_reach_is_one_line_that_names_the_mirror(get, recipe, tmp_path):
    with pytest.raises(UserError, match=r"could not fetch.*MIRROR=<folder>") as caught:
        get(mirror=None, recipe=recipe(url=str(tmp_path / "no such repository")))
    assert len(str(caught.value)) < 600
    assert not (tmp_path / "data/cherry").exists()


def test_the_shipped_recipe_is_complete():
    recipe = Path(__file__).parents[2] / "conf/origins/sources.yaml"
    entry = yaml.safe_load(recipe.read_text())["cherry"]
    checksums = read_checksums(recipe.parent / entry["checksums"])
    counts = dict.fromkeys(entry["counts"], 0)
    for name in checksums:
        counts[str(Path(name).parent)] += 1
    assert counts == entry["counts"]
    assert entry["counts"] == {
        **{"train/cherry_clean": 1978, "train/cherry_pit": 1698},
        **{"val/cherry_clean": 660, "val/cherry_pit": 566},
    }
