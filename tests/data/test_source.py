import pytest

from assay.data.source import content_hash, count_files, current_source, read_source, write_source
from assay.errors import UserError


@pytest.fixture
def folder(tmp_path):
    for name in ("train/a/1.png", "train/b/2.png", "val/a/3.png", "truth.csv"):
        path = tmp_path / "cherry" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "cherry"


def test_content_hash_sees_names_and_bytes_but_not_source_or_litter(folder):
    before = content_hash(folder)
    write_source(folder, project="cherry", kind="sample", note="")
    (folder / "train/.DS_Store").write_text("x")
    (folder / "train/a/Thumbs.db").write_text("x")
    assert content_hash(folder) == before
    (folder / "train/a/1.png").rename(folder / "train/a/9.png")
    renamed = content_hash(folder)
    (folder / "train/a/9.png").write_text("changed")
    assert len({before, renamed, content_hash(folder)}) == 3


def test_content_hash_is_that_of_sha256sum_lines(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    # printf '%s  a\n' "$(sha256sum < /dev/null | cut -c-64)" | sha256sum
    assert content_hash(tmp_path) == "fba1930570cf2d33a2a05ff43a4fea532382611f43876988fc9c31fd9ce102d1"


def test_counts_are_per_folder(folder):
    assert count_files(folder) == {"train/a": 1, "train/b": 1, "val/a": 1}


def test_written_source_reads_back(folder):
    written = write_source(folder, project="cherry", kind="original", note="from über there")
    assert read_source(folder) == written == current_source(folder, project="cherry")
    assert list(written) == ["project", "source", "counts", "content", "note"]


def test_a_changed_sample_is_no_longer_called_sample(folder):
    write_source(folder, project="cherry", kind="sample", note="")
    (folder / "val/a/4.png").write_text("mine")
    source = current_source(folder, project="cherry")
    assert source["source"] == "own (modified sample)"
    assert source["counts"]["val/a"] == 2 and source["content"] == content_hash(folder)


def test_a_folder_without_source_is_own_and_stays_untouched(folder):
    before = sorted(folder.rglob("*"))
    assert current_source(folder, project="cherry")["source"] == "own"
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("text", ["a: [", "just words", "project: cherry", "{source: borrowed, content: x}"])
def test_an_unreadable_source_is_one_line(folder, text):
    (folder / "SOURCE.yaml").write_text(text)
    with pytest.raises(UserError, match=r"SOURCE\.yaml"):
        current_source(folder, project="cherry")


def test_a_missing_source_says_who_writes_it(folder):
    with pytest.raises(UserError, match="make data"):
        read_source(folder)


def test_an_unknown_kind_is_a_programming_error(folder):
    with pytest.raises(ValueError, match="borrowed"):
        write_source(folder, project="cherry", kind="borrowed", note="")
