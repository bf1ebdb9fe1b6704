import os

import pytest

from assay.documents.sources import keep_sources, sources_of
from assay.errors import UserError


@pytest.fixture
def folder(tmp_path):
    given = tmp_path / "in"
    (given / "below").mkdir(parents=True)
    for name in ("a.pdf", "below/b.png", "notes.txt"):
        (given / name).write_bytes(b"")
    return given


def test_names_below_folders_and_twins(folder, tmp_path):
    twin = tmp_path / "a.pdf"
    twin.write_bytes(b"")
    assert list(sources_of([folder / "a.pdf", twin, folder / "below"])) == ["a.pdf", "a-2.pdf", "b.png"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("gone.pdf", "no such file or folder"),
        ("notes.txt", "expected one of .pdf"),
        ("empty", "holds nothing readable"),
    ],
)
def test_sources_that_are_mistakes(tmp_path, path, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("not a document")
    with pytest.raises(UserError, match=said):
        sources_of([tmp_path / path])


def test_a_folder_of_results_only_is_said(folder):
    with pytest.raises(UserError, match=r"all it holds lies in --output .*below, where results are"):
        sources_of([folder / "below"], folder / "below")


def test_names_that_no_file_can_have_are_shortened_and_stay_two(folder):
    deep = folder / ("ж" * 80) / ("y" * 80)
    deep.mkdir(parents=True)
    for number in (1, 2):
        (deep / f"page {number}.png").write_bytes(b"")
    (folder / os.fsdecode(b"caf\xe9.png")).write_bytes(b"")  # a file system of old
    names = list(sources_of([folder]))
    assert len(set(names)) == 5 and all(len(name.encode()) <= 200 for name in names)
    assert sum(name.startswith("жж") and name.endswith(".png") for name in names) == 2
    assert "caf\\udce9.png" in names


def test_a_result_over_a_source_or_what_holds_it_is_refused(folder):
    source = folder / "below/b.png"
    keep_sources([source], [folder / "other", folder / "below/b.png.jpg"])
    for target in (source, folder / "below", folder / "x/../below"):
        with pytest.raises(UserError, match=r"b\.png: would be replaced by its result"):
            keep_sources([source], [target])
