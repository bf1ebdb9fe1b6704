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


PART = {"url": "nowhere", "rev": "1234567", "path": "data", "to": "", "licence": "none stated"}


@pytest.fixture
def recipe(tmp_path):
    """Write a recipe and return the folder of recipes."""

    def recipe(*, files=FILES, parts=(PART,), **changes):
        folder = tmp_path / "origins"
        folder.mkdir(exist_ok=True)
        lines = [
            f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items())
        ]
        (folder / "cherry.sha256").write_text("".join(lines))
        entry = {"parts": list(parts), "checksums": "cherry.sha256", "counts": COUNTS} | changes
        (folder / "cherry.yaml").write_text(yaml.safe_dump(entry))
        return folder

    return recipe


@pytest.fixture
def get(tmp_path, mirror, recipe):
    default = recipe()

    def get(project="cherry", **options):
        return fetch(project, tmp_path / "data", **({"mirror": mirror, "recipes": default} | options))

    return get


@pytest.fixture
def publish(tmp_path):
    """Commit files to a git repository and return its path and the revision."""

    def publish(name, files):
        origin = tmp_path / name
        write(origin, files)

        def git(*arguments):
            identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
            command = ["git", *identity, "-C", str(origin), *arguments]
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

        git("init", "-q")
        git("add", "-A")
        git("commit", "-qm", "publish")
        revision = git("rev-parse", "HEAD")
        for file in files:
            (origin / file).write_bytes(b"a later change")
        git("commit", "-qam", "change")
        return str(origin), revision

    return publish


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
        get(recipes=recipe(counts=COUNTS | {"val/b": 2}))


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


def test_a_recipe_with_a_key_left_out_names_it(get, recipe):
    with pytest.raises(UserError, match=r"cherry\.yaml: parts\[0\]: the keys rev, path, to, licence are"):
        get(recipes=recipe(parts=[{"url": "u"}]))
    (recipe() / "cherry.yaml").write_text("parts: []\n")
    with pytest.raises(UserError, match=r"cherry\.yaml: the keys checksums, counts are missing"):
        get()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"rev": 1234567}, r"rev: 1234567 is no text; put it in quotes"),
        ({"to": "../elsewhere"}, r"leaves the data folder"),
        ({"sha": "x"}, r"unknown key 'sha'"),
        ({"convert": "pages"}, r"convert: 'pages'; there is conditions"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_part_that_makes_no_sense_is_one_line(get, recipe, change, message):
    with pytest.raises(UserError, match=message):
        get(recipes=recipe(parts=[PART, PART | change]))


def test_a_folder_without_recipes_is_named(get, tmp_path):
    with pytest.raises(UserError, match="nothing here: no recipes"):
        get(recipes=tmp_path / "nothing here")


def test_a_checksum_of_a_file_outside_is_refused(tmp_path):
    (tmp_path / "sums").write_text(f"{'0' * 64}  ../../a.png\n")
    with pytest.raises(UserError, match="leaves the data folder"):
        read_checksums(tmp_path / "sums")


def test_a_broken_checksum_line_is_named(tmp_path):
    (tmp_path / "sums").write_text(f"{'0' * 64}  a.png\nabc b.png\n")
    with pytest.raises(UserError, match="line 2"):
        read_checksums(tmp_path / "sums")


def test_dvc_gets_the_pinned_revision_of_a_git_repository(get, recipe, publish, tmp_path):
    url, rev = publish("origin", {f"data/{name}": content for name, content in FILES.items()})
    source = get(mirror=None, recipes=recipe(parts=[PART | {"url": url, "rev": rev}]))
    assert source["source"] == "original" and contents(tmp_path / "data/cherry") == FILES


def test_several_repositories_fill_one_project_and_only_what_is_listed_is_kept(
    get, recipe, publish, tmp_path
):
    first = publish("one", {"set (1)/a/1.png": b"one", "set (1)/a/not listed.png": b"x", "README": b"x"})
    second = publish("two", {"b/3.png": b"three", "deep/clip.mp4": b"clip"})
    parts = [
        PART | {"url": first[0], "rev": first[1], "path": "set (1)", "to": "train"},
        PART | {"url": second[0], "rev": second[1], "path": "b", "to": "val/b"},
        PART | {"url": second[0], "rev": second[1], "path": "deep/clip.mp4", "to": "clips"},
    ]
    files = {"train/a/1.png": b"one", "val/b/3.png": b"three", "clips/clip.mp4": b"clip"}
    counts = {"train/a": 1, "val/b": 1, "clips": 1}
    source = get(mirror=None, recipes=recipe(parts=parts, files=files, counts=counts))
    assert contents(tmp_path / "data/cherry") == files
    assert source["source"] == "original" and "deep/clip.mp4 of" in source["note"]
    assert sorted(path.name for path in (tmp_path / "data/cherry").iterdir()) == [
        "SOURCE.yaml",
        "clips",
        "train",
        "val",
    ]


def test_a_part_that_lacks_a_listed_file_replaces_nothing(get, recipe, publish, tmp_path):
    url, rev = publish("origin", {"data/train/a/1.png": b"one"})
    write(tmp_path / "data/cherry", {"mine.png": b"mine"})
    with pytest.raises(UserError, match=r"cherry/train/a/2\.png and 2 more: missing"):
        get(mirror=None, recipes=recipe(parts=[PART | {"url": url, "rev": rev}]), force=True)
    assert contents(tmp_path / "data/cherry") == {"mine.png": b"mine"}


def test_what_cannot_be_converted_is_left_out_and_said(get, recipe, publish, tmp_path, capsys):
    pickles = {"cache/train_detections.pkl": b"no pickle"}
    url, rev = publish("origin", {f"data/{name}": content for name, content in FILES.items()} | pickles)
    part = PART | {"url": url, "rev": rev}
    recipes = recipe(
        parts=[part, part | {"path": "cache", "convert": "conditions"}],
        files=FILES | {"conditions.csv": b"the listed one"},
        counts=COUNTS | {".": 1},
    )
    source = get(mirror=None, recipes=recipes)
    assert source["source"] == "original" and contents(tmp_path / "data/cherry") == FILES
    assert "conditions.csv: left out" in capsys.readouterr().err
    assert get(mirror=None, recipes=recipes) == source, "intact, though a converted file is not there"


def test_an_origin_out_of_reach_is_one_line_that_names_the_mirror(get, recipe, tmp_path):
    with pytest.raises(UserError, match=r"could not fetch.*MIRROR=<folder>") as caught:
        get(mirror=None, recipes=recipe(parts=[PART | {"url": str(tmp_path / "no such repository")}]))
    assert len(str(caught.value)) < 600
    assert not (tmp_path / "data/cherry").exists()


ORIGINS = Path(__file__).parents[2] / "conf/origins"


@pytest.mark.parametrize("recipe", sorted(ORIGINS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_recipes_are_complete(recipe, tmp_path):
    entry = yaml.safe_load(recipe.read_text())
    counts = dict.fromkeys(entry["counts"], 0)
    for name in read_checksums(recipe.parent / entry["checksums"]):
        counts[str(Path(name).parent)] += 1
    assert counts == entry["counts"]
    (tmp_path / recipe.stem).mkdir()
    with pytest.raises(UserError, match="missing; the originals are refused"):  # the recipe itself is read
        fetch(recipe.stem, tmp_path / "data", mirror=tmp_path, recipes=ORIGINS)


def test_the_shipped_cherry_recipe_has_the_published_counts():
    assert yaml.safe_load((ORIGINS / "cherry.yaml").read_text())["counts"] == {
        **{"train/cherry_clean": 1978, "train/cherry_pit": 1698},
        **{"val/cherry_clean": 660, "val/cherry_pit": 566},
    }
