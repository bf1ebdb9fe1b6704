import getpass
import json
import platform
import subprocess
import sys
import types

import pytest

from assay import environment


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A git repository with one commit, as current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"):
        monkeypatch.setenv(name, "a")
    for name in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "a@example.org")
    (tmp_path / "code.py").write_text("x = 1\n")
    (tmp_path / "dvc.lock").write_text("a: 1\n")
    (tmp_path / "resolved").mkdir()
    (tmp_path / "resolved" / "cherry.yaml").write_text("a: 1\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    return tmp_path


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def test_names_the_commit_and_nothing_dirty(repository):
    state = environment.describe()["git"]
    assert state == {"revision": git("rev-parse", "HEAD"), "dirty": False, "untracked": []}


def test_an_edit_of_the_code_is_dirty_and_kept(repository):
    (repository / "code.py").write_text("x = 2\n")
    (repository / "new file.py").write_text("")
    state = environment.describe()["git"]
    assert state["dirty"] is True
    assert state["untracked"] == ["new file.py"]
    assert "+x = 2" in environment.uncommitted_diff()


def test_files_the_stages_write_are_no_edit(repository):
    (repository / "dvc.lock").write_text("a: 2\n")
    (repository / "resolved" / "cherry.yaml").write_text("a: 2\n")
    assert environment.describe()["git"]["dirty"] is False
    assert environment.uncommitted_diff() == ""


def test_the_whole_repository_counts_from_a_folder_inside_it(repository, monkeypatch):
    (repository / "code.py").write_text("x = 2\n")
    monkeypatch.chdir(repository / "resolved")
    assert "+x = 2" in environment.uncommitted_diff()


def test_works_where_there_is_no_git_program(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.describe()["git"] == {"revision": None, "dirty": False, "untracked": []}


def test_works_outside_a_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    found = environment.describe()
    assert found["git"]["revision"] is None
    assert found["lock"] is None


def test_describes_lock_python_packages_and_hardware(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.lock").write_text("")
    found = environment.describe()
    assert found["lock"] == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # of no bytes
    assert found["python"] == platform.python_version()
    assert found["packages"]["numpy"]
    assert found["cpu"]["model"]
    assert found["cpu"]["cores"] >= 1
    assert {type(found["cpu"]["amx"]), type(found["cpu"]["avx512"])} == {bool}
    assert found["memory_gb"] > 0


def test_names_no_user_no_host_and_no_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = json.dumps({key: value for key, value in environment.describe().items() if key != "packages"})
    assert str(tmp_path) not in text
    assert platform.node() not in text or len(platform.node()) < 4  # a host called "a" is in every text
    assert f'"{getpass.getuser()}"' not in text


@pytest.mark.parametrize(
    ("available", "expected"),
    [
        (True, "a GPU"),  # torch is loaded and sees a GPU
        (False, None),  # torch is loaded and sees none
    ],
)
def test_gpu_is_asked_of_a_loaded_torch(monkeypatch, available, expected):
    cuda = types.SimpleNamespace(is_available=lambda: available, get_device_name=lambda index: "a GPU")
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda))
    assert environment.gpu_name() == expected


def test_torch_is_not_loaded_to_ask_for_a_gpu(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert environment.gpu_name() is None
    assert "torch" not in sys.modules
