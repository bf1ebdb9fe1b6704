import hashlib
import json
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay.errors import UserError
from assay.files import atomic_write, check_writable, fresh_folder, read_json, sha256_file, write_json

WRITER = """
import sys
from pathlib import Path
from assay.files import atomic_write
path, number = Path(sys.argv[1]), 0
print("started", flush=True)
while True:
    with atomic_write(path) as temporary, temporary.open("w") as stream:
        for _ in range(2000):
            stream.write(f"{number}\\n")
    number += 1
"""


def test_a_kill_at_any_moment_leaves_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "value.txt"
    with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"started\n"
        pause = random.Random(0)
        for _ in range(50):  # a reader at any moment sees a whole file
            time.sleep(pause.uniform(0, 0.004))
            if path.exists():
                lines = path.read_text().split()
                assert len(lines) == 2000 and len(set(lines)) == 1
        os.kill(writer.pid, signal.SIGKILL)
    lines = path.read_text().split()
    assert len(lines) == 2000 and len(set(lines)) == 1


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "value.txt"
    path.write_text("old")
    with pytest.raises(KeyError), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_file_gets_the_users_usual_permissions_and_its_folder(tmp_path):
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "new/folder/value.json", 1)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new/folder/value.json").stat().st_mode) == 0o640


def test_a_full_disk_is_said_of_the_file_that_was_wanted(tmp_path):
    path = tmp_path / "value.txt"
    path.write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # write errors, as on a full disk
    try:
        with pytest.raises(OSError) as caught, atomic_write(path) as temporary:
            temporary.write_bytes(b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.filename == str(path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_somebody_elses_stays(tmp_path):
    kept = tmp_path / "out/precious.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    for path in (kept, kept.parent):
        with pytest.raises(UserError, match="name a"), fresh_folder(path, holding="mark"):
            pass
    assert kept.read_text() == "mine" and list(tmp_path.iterdir()) == [kept.parent]
    (kept.parent / "mark").touch()
    with fresh_folder(kept.parent, holding="mark") as fresh:
        (fresh / "mark").touch()
    with fresh_folder(tmp_path / "[new]", holding="mark"):
        pass
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["[new]", "mark", "out"]


def test_where_nothing_can_be_written_is_said_of_the_option(tmp_path):
    check_writable(tmp_path / "new/folder", "--output")
    assert list((tmp_path / "new/folder").iterdir()) == []
    for folder in (Path("/proc/x"), Path(__file__)):
        with pytest.raises(UserError, match=f"--output {folder}: "):
            check_writable(folder, "--output")


def test_a_folder_is_replaced_whole(tmp_path):
    folder = tmp_path / "out"
    for name in ("first", "second"):
        with fresh_folder(folder) as fresh:
            assert fresh.parent == folder.parent and list(fresh.iterdir()) == []
            (fresh / name).write_text(name)
    assert [path.name for path in folder.iterdir()] == ["second"] and list(tmp_path.iterdir()) == [folder]


def test_an_error_leaves_the_old_folder(tmp_path):
    with fresh_folder(tmp_path / "out") as folder:
        (folder / "old").write_text("old")
    with pytest.raises(KeyError), fresh_folder(tmp_path / "out") as folder:
        (folder / "new").write_text("half")
        raise KeyError
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["old"]
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_kill_left_is_cleared_by_the_next_and_nothing_else(tmp_path):
    (tmp_path / ".out.abc.partial").mkdir()
    (tmp_path / ".other.abc.partial").mkdir()
    with fresh_folder(tmp_path / "out"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.abc.partial", "out"]


@pytest.mark.parametrize("new_is_there", [False, True], ids=["before the second rename", "after it"])
def test_a_kill_between_the_two_renames_loses_no_folder(tmp_path, monkeypatch, new_is_there):
    out = tmp_path / "out"
    with fresh_folder(out) as folder:
        (folder / "old").touch()
    renames = []

    def killed_after_renaming(source, target):
        renames.append(Path(source).rename(target))
        if len(renames) == 1 + new_is_there:
            os._exit(9)  # no clean-up, as SIGKILL

    child = os.fork()
    if child == 0:
        monkeypatch.setattr("assay.files.os.replace", killed_after_renaming)
        with fresh_folder(out) as folder:
            (folder / "new").touch()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    with pytest.raises(KeyError), fresh_folder(out):
        raise KeyError  # the next attempt fails, and what was there is there still
    assert [path.name for path in out.iterdir()] == ["new" if new_is_there else "old"]
    assert list(tmp_path.iterdir()) == [out]


def test_json_comes_back_and_equal_values_are_equal_bytes(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, 2.5], "a": "Süß 桜"})
    write_json(tmp_path / "b.json", {"a": "Süß 桜", "b": [1, 2.5]})
    assert read_json(tmp_path / "a.json") == {"a": "Süß 桜", "b": [1, 2.5]}
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert "Süß" in (tmp_path / "a.json").read_text("utf-8")
    json.loads((tmp_path / "a.json").read_bytes())


def test_a_hash_is_that_of_sha256sum(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    assert sha256_file(tmp_path / "a") == hashlib.sha256(b"x" * 100_000).hexdigest()
