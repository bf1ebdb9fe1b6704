"""Composition, scaling and the one line that a mistake costs."""

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from assay.config import compose, expand_sweep, load_resolved, render
from assay.config.compose import CONF, ROOT, _hydra, names, read_yaml, same_as
from assay.errors import ConfigError

# (what a person typed, what the one line must say)
MISTAKES = [
    ("train.epocs=3", "train.epocs = 3: unknown key (did you mean 'epochs'?)"),
    (
        "+train.epocs=3",
        "train.epocs = 3: unknown key (did you mean 'epochs'?)",
    ),  # + does not get it in either
    ("train.epochs=ten", "train.epochs = 'ten': input should be a valid integer"),
    ("train.epochs=2.5", "train.epochs = 2.5: input should be a valid integer"),
    ("train.lr=-3", "train.lr = -3: input should be greater than 0"),
    (
        "train.optimizer=adm",
        "train.optimizer = 'adm': should be one of adam, adamw, sgd (did you mean 'adam'?)",
    ),
    ("train.label_smoothing=1.5", "train.label_smoothing = 1.5: input should be less than or equal to 1"),
    ("project=chery", "project=chery: no such project in conf/project (did you mean 'cherry'?)"),
    ("experiment=resnet19", "no such experiment in conf/experiment/cherry (did you mean 'resnet18'?)"),
    ("profile=dmo", "profile=dmo: no such profile in conf/profile (did you mean 'demo'?)"),
    ("seed=-1", "seed = -1: input should be greater than or equal to 0"),
    ("train.lr=[", "train.lr=["),
    ("epochs", "'epochs': expected key=value"),
    ("model.patch=14", "is not a multiple of patch 14"),
    ("baseline.train.epochs=3", "the baseline is an experiment of its own"),
]


@pytest.mark.parametrize(("typed", "said"), MISTAKES)
def test_a_mistake_is_one_line_that_names_the_key_and_the_nearest_name(typed: str, said: str) -> None:
    overrides = ["project=cherry", "experiment=resnet18", "profile=full"]
    overrides = [o for o in overrides if o.partition("=")[0] != typed.partition("=")[0]] + [typed]
    with pytest.raises(ConfigError) as caught:
        compose(overrides)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            "+prepare.class_map.fissure=crack",
            "prepare.class_map: 'fissure' becomes 'crack', which is no class; project.classes are rock_toe, slope_drain, "
            "toe_drain, vegetation",
        ),
        (
            "project.classes=[rock_toe,slope_drain,toe_drain,vegetation,crack]",
            "review.labels: crack missing; a reviewer says which of project.classes shows",
        ),
    ],
)
def test_own_classes_are_named_in_three_keys(typed: str, said: str) -> None:
    chosen = ["project=infrastructure", "experiment=yolo11s_best", "profile=full"]
    with pytest.raises(ConfigError) as caught:
        compose([*chosen, typed])
    assert str(caught.value) == said
    both = "review.labels=[rock_toe,slope_drain,toe_drain,vegetation,crack,no_object]"
    added = ["project.classes=[rock_toe,slope_drain,toe_drain,vegetation,crack]", both]
    assert compose([*chosen, *added, "+prepare.class_map.fissure=crack"]).project.classes[-1] == "crack"
    compose([*chosen, "+prepare.class_map.sky=''"])  # background
    compose([*chosen, "+prepare.class_map.sky=clouds", "prepare.ignore=[sky]"])  # nothing becomes of it


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hydra, a sixth of a second each time, composes an experiment once; its profile is exchanged from then on."""
    seen: dict[Any, dict[str, Any]] = {}

    def shared(selected: dict[str, str], changes: list[str], conf: Path) -> dict[str, Any]:
        assert not any("profile" in change for change in changes)
        key = (selected["experiment"], *changes)
        if key not in seen:
            seen[key] = _hydra(selected, changes, conf)
        profile = read_yaml(conf / f"profile/{selected['profile']}.yaml")
        return {**copy.deepcopy(seen[key]), "profile": profile}

    # the package shows the function compose under the name of the module
    monkeypatch.setattr(sys.modules["assay.config.compose"], "_hydra", shared)


def test_a_profile_is_a_part_of_its_own_which_nothing_in_conf_reaches_into() -> None:
    """What `once` rests on."""
    for path in CONF.rglob("*.yaml"):
        lines = [line.partition("#")[0] for line in path.read_text("utf-8").splitlines()]
        assert path.parent.name == "claims" or not any(
            "{profile" in line or "/profile" in line for line in lines
        )
    for project in names("project"):
        experiment = names(f"experiment/{project}")[0]
        selected = {"project": project, "experiment": f"{project}/{experiment}", "profile": "full"}
        composed = _hydra(selected, [], CONF)
        for profile in names("profile"):
            exchanged = {**composed, "profile": read_yaml(CONF / f"profile/{profile}.yaml")}
            assert _hydra({**selected, "profile": profile}, [], CONF) == exchanged


@pytest.mark.usefixtures("once")
def test_every_experiment_file_composes_and_none_is_lost() -> None:
    found = sorted((CONF / "experiment").rglob("*.yaml"))
    for path in found:
        project, experiment = path.parent.name, path.stem
        for profile in names("profile"):
            cfg = compose([f"project={project}", f"experiment={experiment}", f"profile={profile}"])
            assert cfg.experiment.id == experiment
            assert cfg.project.name == project
            assert (
                cfg.experiment.planned
                or cfg.experiment.published
                or "the experiment is the project's own" in path.read_text()
                or "addition of this project" in path.read_text()
            )
        header = path.read_text().split("\n")[:8]
        assert any(f"experiment={experiment}" in line for line in header), (
            f"{path} does not open with its command"
        )
    by_project = {name: len(names(f"experiment/{name}")) for name in names("project")}
    assert by_project == {
        "cherry": 19,
        "conditions": 11,
        "documents": 12,
        "infrastructure": 11,
        "workzone": 23,
    }


@pytest.mark.usefixtures("once")
def test_every_sweep_expands_and_the_graph_knows_it() -> None:
    import yaml

    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    # the ledger names 20; offline, conditions_ablation, ocr_signs, negative_share, cone_negatives, documents_synthetic
    # are our own
    assert len(names("sweep")) == 26
    known = {}
    for name in names("sweep"):
        jobs = [cfg for _, cfg in expand_sweep(name, profile="demo", seeds=[0])]  # one: seeds differ anyhow
        assert len(set(map(render, jobs))) == len(jobs), f"{name} has two identical jobs"
        reads = "hard_examples" if any(map(_uses_reviews, jobs)) else "dataset"
        task = jobs[0].task
        reads = "baseline" if task == "timeline" else reads
        known[name] = {"project": jobs[0].project.name, "task": task, "reads": reads}
    assert params["sweeps"] == known


def _uses_reviews(cfg: Any) -> bool:
    if cfg.task in ("timeline", "ocr"):
        return False
    if cfg.task == "detection":
        return bool(cfg.train.hard_negatives or cfg.train.negative_share)
    return bool(cfg.train.hard_examples.use)


def test_the_baseline_is_composed_with_the_same_profile() -> None:
    cfg = compose(["project=cherry", "experiment=resnet18", "profile=demo"])
    assert cfg.baseline.experiment == "production_baseline"
    assert cfg.baseline.model.freeze == "backbone"
    assert cfg.baseline.model.image_size == cfg.model.image_size == 64


def test_a_profile_scales_what_the_caller_did_not_say() -> None:
    scaled = compose(["project=cherry", "experiment=resnet18", "profile=demo"])
    assert scaled.train.epochs < 30
    assert scaled.profile.scaled["train.epochs"] == [30, scaled.train.epochs]
    said = compose(["project=cherry", "experiment=resnet18", "profile=demo", "train.epochs=50"])
    assert said.train.epochs == 50
    assert "train.epochs" not in said.profile.scaled


@pytest.mark.parametrize(
    ("profile", "change", "key", "said"),
    [
        ("cpu", "train.epochs=4", "train.epochs", [30, 4]),  # the profile leaves it alone
        (
            "demo",
            "train.epochs=6",
            "train.epochs",
            [30, 6],
        ),  # above the profile's cap of 4: the request counts
        ("cpu", "train.epochs=30", "train.epochs", None),  # nothing is changed
        ("full", "+model.input_mode=norm", "model.input_mode", ["raw", "norm"]),
    ],
)
def test_what_a_sweep_is_asked_to_change_is_recorded(
    profile: str, change: str, key: str, said: list[object] | None
) -> None:
    (overrides, cfg), *_ = expand_sweep("convnextv2", profile=profile, requested=[change])
    assert overrides[-1] == change
    assert cfg.profile.scaled.get(key) == said


@pytest.mark.usefixtures("once")
def test_the_variants_of_a_sweep_are_no_scaling() -> None:
    for _, cfg in expand_sweep("documents_ablation", profile="full"):
        assert cfg.profile.scaled == {}


@pytest.mark.parametrize(
    ("experiment", "profile", "twin"),
    [
        ("yolo11s_1280", "cpu", "yolo11s_epoch6"),  # both at 320 px
        ("yolo11s_1280", "full", ""),
        ("yolo11s_tta", "cpu", ""),
    ],
)
def test_an_experiment_that_its_profile_makes_another_is_named(
    experiment: str, profile: str, twin: str
) -> None:
    cfg = compose(["project=infrastructure", f"experiment={experiment}", f"profile={profile}", "seed=3"])
    assert same_as(cfg) == twin
    requested = ["train.epochs=2"]
    cfg = compose(["project=infrastructure", "experiment=yolo11s_1280", "profile=cpu"], requested=requested)
    assert same_as(cfg, requested=requested) == "yolo11s_epoch6" and same_as(cfg) == ""


def test_a_patch_of_14_pixels_survives_scaling() -> None:
    cfg = compose(["project=cherry", "experiment=EXP-006A", "profile=demo"])
    assert cfg.model.image_size % 14 == 0
    assert compose(["project=cherry", "experiment=EXP-006A", "profile=full"]).model.image_size == 126


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("prepare.regroup.minimum={toe_drian: 3}", "minimum.toe_drian: no such class (did you mean 'toe_drain'?)"),
        ("evaluate.inference.class_confidence={cone: 0.1}", "class_confidence.cone: no such class (known: rock_toe"),
        ("prepare.regroup.test_share=1.0", "regroup.test_share 1 leave nothing to train on; together they must be"),
        ("prepare.regroup.test_share=0.9", "validation_share 0.12 and regroup.test_share 0.9 leave nothing"),
    ],
)  # fmt: skip
def test_a_mistake_about_the_split_is_said_before_anything_runs(typed: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose(["project=infrastructure", "experiment=yolo11s_best", "profile=full", typed])
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_resolved_text_reads_back_as_the_same_configuration(tmp_path: Path) -> None:
    cfg = compose(["project=cherry", "experiment=EXP-002A", "profile=full", "train.lr=3e-5"])
    path = tmp_path / "cherry.yaml"
    path.write_text(render(cfg))
    assert load_resolved(path) == cfg
    path.write_text(render(cfg).replace("epochs:", "epocs:"))
    with pytest.raises(ConfigError, match="unknown key"):
        load_resolved(path)
    with pytest.raises(ConfigError, match="no such file"):
        load_resolved(tmp_path / "absent.yaml")


def test_params_yaml_chooses_what_the_caller_left_open(tmp_path: Path) -> None:
    choices = tmp_path / "params.yaml"
    choices.write_text("profile: smoke\nprojects: {cherry: {experiment: EXP-003B}}\n")
    cfg = compose(["project=cherry"], choices=choices)
    assert (cfg.experiment.id, cfg.profile.name) == ("EXP-003B", "smoke")


@pytest.mark.parametrize("stage", ["prepare", "baseline", "mine", "review", "train", "evaluate", "export"])
def test_a_mistake_ends_a_stage_with_status_2_before_anything_heavy_is_imported(stage: str) -> None:
    code = (
        "import sys, runpy\n"
        f"sys.argv = ['{stage}', 'project=cherry', 'train.epocs=3']\n"
        "try:\n"
        f"    runpy.run_module('pipelines.{stage}', run_name='__main__')\n"
        "finally:\n"
        "    print(sorted({'torch', 'pandas', 'mlflow', 'timm', 'matplotlib'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert done.stdout.strip() == "[]"
    assert done.stderr.strip().split("\n") == ["assay: train.epocs = 3: unknown key (did you mean 'epochs'?)"]


def test_a_task_that_runs_as_a_sweep_only_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.train", "project=workzone", "experiment=temporal"],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "timeline runs as a sweep: `make sweep EXP=fusion`" in done.stderr


@pytest.mark.parametrize("stage", ["configure", "prepare", "train", "evaluate", "sweep"])
def test_help_teaches(stage: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"pipelines.{stage}", "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0
    assert "usage:" in done.stdout
    assert stage == "sweep" or "resnet18" in done.stdout or "production_baseline" in done.stdout
