import io
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from assay.errors import UserError
from assay.models import yolo_adapter
from assay.models.yolo_adapter import build, carry_over, read_checkpoint

CLASSES = ("cone", "drum", "sign")
HEAD = "model.23.cv3.0.2.weight"  # a row per class


@pytest.fixture(scope="module")
def trained():
    """Another network, of classes that partly are the same, in another order."""
    return build("yolo11n", ("sign", "worker", "cone", "dog"), seed=1)


@pytest.fixture(scope="module")
def file(trained, tmp_path_factory):
    """A file as Ultralytics writes it: the network itself, in half precision, with what it was trained by."""
    path = tmp_path_factory.mktemp("weights") / "trained.pt"
    torch.save(
        {
            "epoch": -1,
            "model": build("yolo11n", trained.names.values(), seed=1).half(),
            "ema": None,
            "train_args": {"imgsz": 640, "lr0": 0.01},
            "date": "2026-01-01",
        },
        path,
    )
    return path


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_a_network_is_of_its_seed_and_draws_from_nobody():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = build("yolo11n", CLASSES, seed=1).state_dict()
    assert torch.equal(torch.rand(3), expected)
    assert same(first, build("yolo11n", CLASSES, seed=1).state_dict())
    assert not same(first, build("yolo11n", CLASSES, seed=2).state_dict())


def test_attention_is_built_and_every_other_layer_takes_the_plain_networks_weights():
    plain = build("yolo11n", CLASSES, seed=1)
    network = build("yolo11n_cbam", CLASSES, seed=2).eval()
    assert [k for k, layer in enumerate(network.model) if type(layer).__name__ == "CBAM"] == [11]
    assert type(build("yolo11s_cbam", CLASSES).model[11].channel_attention.fc).__name__ == "Conv2d"
    carried = carry_over(network, plain.state_dict(), classes=CLASSES, known=CLASSES)
    new = [name for name in network.state_dict() if name.startswith("model.11.")]
    assert carried == {"copied": len(plain.state_dict()), "mapped": 0, "left_random": len(new)} and new
    own, theirs = network.state_dict(), plain.state_dict()
    for mine, before in (("model.10", "model.10"), ("model.14", "model.13"), ("model.24", "model.23")):
        names = [name for name in theirs if name.startswith(f"{before}.")]
        assert names and all(torch.equal(own[mine + name[len(before) :]], theirs[name]) for name in names)
    again = carry_over(
        build("yolo11n_cbam", CLASSES, seed=3), own, classes=CLASSES, known=CLASSES
    )  # from one with attention
    assert again["left_random"] == 0
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 64, 64))[0].shape == (1, 4 + len(CLASSES), 84)


@pytest.mark.parametrize("classes", [("cone",), CLASSES])
def test_a_network_answers_with_a_box_and_a_score_per_class(classes):
    network = build("yolo11n", classes).eval()
    assert network.names == dict(enumerate(classes))
    with torch.inference_mode():
        assert network(torch.rand(2, 3, 64, 64))[0].shape == (2, 4 + len(classes), 8 * 8 + 4 * 4 + 2 * 2)


def test_an_unknown_architecture_is_a_users_mistake():
    with pytest.raises(UserError, match=r"model.architecture=yolo99x: Ultralytics has no such network"):
        build("yolo99x", CLASSES)


def test_classes_are_carried_over_by_name(trained):
    network = build("yolo11n", CLASSES, seed=2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    counts = carry_over(
        network, trained.state_dict(), classes=CLASSES, known=("sign", "worker", "cone", "dog")
    )
    after, theirs = network.state_dict(), trained.state_dict()
    for name in (HEAD, "model.23.cv3.2.2.bias"):
        assert torch.equal(after[name][0], theirs[name][2])  # cone
        assert torch.equal(after[name][2], theirs[name][0])  # sign
        assert torch.equal(after[name][1], before[name][1])  # drum, which they do not know
    assert counts == {"copied": len(before) - 6, "mapped": 6, "left_random": 0}
    rest = [name for name in before if before[name].shape == theirs[name].shape]
    assert len(rest) == counts["copied"]
    assert all(torch.equal(after[name], theirs[name]) for name in rest)


def test_the_same_classes_in_the_same_order_are_copied_whole(trained):
    known = tuple(trained.names.values())
    network = build("yolo11n", known, seed=2)
    counts = carry_over(network, trained.state_dict(), classes=known, known=known)
    assert counts == {"copied": len(network.state_dict()), "mapped": 0, "left_random": 0}
    assert same(network.state_dict(), trained.state_dict())


def test_the_same_classes_in_another_order_are_reordered(trained):
    known = tuple(trained.names.values())
    network = build("yolo11n", known[::-1], seed=2)
    carry_over(network, trained.state_dict(), classes=known[::-1], known=known)
    assert torch.equal(network.state_dict()[HEAD], trained.state_dict()[HEAD].flip(0))


@pytest.mark.parametrize("classes", [("a", "b", "c", "d"), ("a", "b")])
def test_no_shared_class_leaves_the_head_as_it_was(trained, classes):
    network = build("yolo11n", classes, seed=2)
    before = network.state_dict()[HEAD].clone()
    counts = carry_over(network, trained.state_dict(), classes=classes, known=tuple(trained.names.values()))
    assert torch.equal(network.state_dict()[HEAD], before)
    assert (counts["mapped"], counts["left_random"]) == (0, 6)


def test_nothing_given_leaves_everything_random():
    network = build("yolo11n", CLASSES, seed=2)
    count = len(network.state_dict())
    counts = carry_over(network, {}, classes=CLASSES, known=())
    assert counts == {"copied": 0, "mapped": 0, "left_random": count}
    assert same(network.state_dict(), build("yolo11n", CLASSES, seed=2).state_dict())


def test_an_ultralytics_file_gives_its_tensors_and_classes(trained, file):
    state, names = read_checkpoint(file)
    assert names == ["sign", "worker", "cone", "dog"]
    expected = trained.state_dict()
    assert state.keys() == expected.keys()
    for name, tensor in state.items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, expected[name].half().float()), name


def test_the_average_is_taken_where_there_is_one(trained, tmp_path):
    torch.save({"model": build("yolo11n", CLASSES, seed=2), "ema": trained}, tmp_path / "x.pt")
    state, names = read_checkpoint(tmp_path / "x.pt")
    assert names[1] == "worker" and same(state, trained.state_dict())


class Calls:
    """Something whose reading calls `function`."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def crafted(path, *lines):
    """A weights file whose pickle is written by hand: GLOBAL `name`, then `lines`, then REDUCE."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + b"".join(lines) + b".")
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")


def test_a_file_that_would_run_a_command_is_refused(tmp_path):
    torch.save({"model": Calls(os.system, f"touch {tmp_path}/executed")}, tmp_path / "evil.pt")
    with pytest.raises(UserError, match=r"evil.pt: refused, it wants (posix|os).system run") as caught:
        read_checkpoint(tmp_path / "evil.pt")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "executed").exists()


def test_a_network_is_not_built_as_a_file_says(tmp_path):
    """Ultralytics evaluates the text of a network's description: none may come from a file."""
    from ultralytics.nn.modules.conv import Conv
    from ultralytics.nn.tasks import DetectionModel, parse_model

    before = Conv.default_act
    command = f"open({str(tmp_path / 'executed')!r}, 'w').close() or torch.nn.SiLU()"
    description = {"nc": 1, "activation": command, "scales": {}, "backbone": [], "head": []}
    try:
        for number, evil in enumerate(
            [Calls(parse_model, description, 3), Calls(DetectionModel, description, 3, 1, False)]
        ):
            torch.save({"model": evil}, tmp_path / f"{number}.pt")
            with pytest.raises(UserError, match=rf"weights file .*{number}.pt: "):
                read_checkpoint(tmp_path / f"{number}.pt")
            assert not (tmp_path / "executed").exists()
    finally:
        Conv.default_act = before


@pytest.mark.parametrize(
    "name",
    ["ultralytics.nn.tasks.torch load", "ultralytics.nn.modules no_such_thing", "torch.nn.modules.x y"],
)
def test_names_that_only_look_like_networks_do_no_harm(tmp_path, name):
    module, attribute = name.split()
    crafted(
        tmp_path / "x.pt",
        f"c{module}\n{attribute}\n".encode(),
        b"(X\x01\x00\x00\x00at",  # ("a",)
        b"R",
    )
    with pytest.raises(UserError, match=r"weights file .*x.pt: "):
        read_checkpoint(tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "damaged"),
        (b"PK\x03\x04 half a file", "damaged"),
        (pickle.dumps({"model": 1}), "damaged"),
        ({"model": {"a": 1}}, "holds no network"),
        ({"epoch": 1}, "holds no network"),
        ([1, 2], "holds no network"),
        ({"ema": torch.zeros(3)}, "holds no network"),
    ],
)
def test_files_that_hold_no_network_are_named(tmp_path, content, message):
    path = tmp_path / "x.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(UserError, match=f"weights file .*x.pt: .*{message}") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_a_file_cut_short_is_named(file, tmp_path):
    (tmp_path / "cut.pt").write_bytes(file.read_bytes()[:100_000])
    with pytest.raises(UserError, match=r"cut.pt: damaged"):
        read_checkpoint(tmp_path / "cut.pt")


def test_a_download_without_network_is_nothing_and_with_one_is_read(file, monkeypatch):
    import urllib.request

    asked = []

    def no_network(url, timeout):
        asked.append(url)
        raise OSError("no route")

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    assert yolo_adapter.download("yolo11n") is None
    assert len(asked) == 1 and asked[0].endswith("/yolo11n.pt")
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: io.BytesIO(file.read_bytes()))
    assert yolo_adapter.download("yolo11n")[1] == ["sign", "worker", "cone", "dog"]


def test_for_export_gives_one_output_and_the_mode_back(trained):
    picture = torch.rand(1, 3, 64, 64)
    network = trained.eval()
    with torch.inference_mode():
        before = network(picture)[0]
        with yolo_adapter.for_export(network) as exported:
            answer = exported(picture)
        assert isinstance(answer, torch.Tensor)
        torch.testing.assert_close(answer, before)
        torch.testing.assert_close(network(picture)[0], before)
    assert not network.model[-1].export


LOOKS = """
import os, sys
from pathlib import Path
from assay.models import yolo_adapter
assert "ultralytics" not in sys.modules
before = dict(os.environ)
yolo_adapter.quiet()
from ultralytics import utils
on = [name for name in yolo_adapter._INTEGRATIONS if utils.SETTINGS.get(name)]
print(on, os.environ.get("OMP_NUM_THREADS"), utils.SETTINGS_FILE)
"""


@pytest.mark.parametrize("threads", [None, "3"])
def test_ultralytics_leaves_home_and_environment_alone(tmp_path, threads):
    (home := tmp_path / "home").mkdir()
    (scratch := tmp_path / "scratch").mkdir()
    left = {key: value for key, value in os.environ.items() if not key.startswith(("YOLO_", "OMP_", "XDG_"))}
    more = {"HOME": str(home), "TMPDIR": str(scratch), **({"OMP_NUM_THREADS": threads} if threads else {})}
    done = subprocess.run(
        [sys.executable, "-c", LOOKS], env=left | more, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    on, found, settings = done.stdout.strip().rsplit("\n", 1)[-1].split(" ")
    assert (on, found) == ("[]", str(threads))
    assert scratch in Path(settings).parents
    assert not list(home.rglob("*ltralytics*"))
