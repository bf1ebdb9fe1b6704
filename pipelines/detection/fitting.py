"""Train one detector from its configuration: shared by the baseline, the experiment and every job of a sweep."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import DetectionConfig
from assay.tracking import Run

if TYPE_CHECKING:
    import pandas as pd

    from assay.models.detector_weights import DetectorWeights


def fit(cfg: DetectionConfig, stage: str) -> dict[str, Any]:
    """Train as a stage of the graph: into build/<project>/<baseline|model>, recorded as a run; returns model.json.

    A copy stays in runs/models, where an experiment that goes on from this one (model.fine_tune) finds it: build/ holds
    one experiment at a time.
    """
    import shutil

    from assay.files import fresh_folder
    from pipelines.detection.asking import stored
    from pipelines.recording import MODEL, model_tags, run_name, stage_run

    out = Path(cfg.build) / {"baseline": "baseline", "train": "model"}[stage]
    with stage_run(cfg, stage, sections=MODEL, name=run_name(cfg), tags=model_tags(cfg)) as run:
        work = Path("runs/training") / cfg.project.name / stage
        info = train_into(cfg, out, work=work, run=run)
        if stage == "train":
            run.identify(info["id"])
    with fresh_folder(stored(cfg, cfg.experiment.id)) as folder:
        shutil.copytree(out, folder, dirs_exist_ok=True)
    shutil.rmtree(work, ignore_errors=True)
    return info


def train_into(
    cfg: DetectionConfig, out: Path, *, work: Path, run: Run, before: Path | None = None
) -> dict[str, Any]:
    """Read data and weights, train, and write the model and its curves to `out`; returns model.json.

    work: folder for training data and the checkpoint. A killed training goes on from there.
    before: the detector to go on from, trained as model.fine_tune says; None: look where that was trained last.
    """
    from assay.training.precision import start_torch

    start_torch(cfg.seed)
    refuse_what_nothing_reads(cfg)
    import pandas as pd

    from assay.data.classification import source_of
    from assay.files import fresh_folder, read_json
    from assay.models.detector import save_detector
    from assay.training.detection import train_detector
    from pipelines.detection.pretraining import pretrained

    dataset = Path(cfg.build) / "dataset"
    run.data(source_of(dataset))
    weights = pretrained(cfg, starting_weights(cfg, before), work, run)
    run.tag("weights", weights.origin)
    root = weights.root or weights.origin
    if cfg.model.pretrained and root in ("random", "starter"):
        run.rename(f"{run.state['name']} · {root.upper()} weights")  # never a look-alike of the published
    trained = train_detector(
        rows := _rows(cfg),
        _boxes(dataset, rows),
        root=dataset,
        negatives=_negatives(cfg, run),
        classes=cfg.project.classes,
        architecture=cfg.model.architecture,
        image_size=cfg.model.image_size,
        weights=weights,
        settings=cfg.train.model_dump(),
        select=cfg.train.select,
        seed=cfg.seed,
        work=work,
        log=lambda name, value, epoch: _log(run, name, value, epoch, cfg.train.epochs),
    )
    facts = {"experiment": cfg.experiment.id, "profile": cfg.profile.name}
    with fresh_folder(out) as folder:
        save_detector(folder, trained.module, trained.info | facts)
        history = pd.DataFrame(trained.history)
        history.set_axis(range(1, len(history) + 1)).rename_axis("epoch").to_csv(folder / "history.csv")
    for name in ("model.json", "history.csv"):
        run.artifact(out / name)
    info: dict[str, Any] = read_json(out / "model.json")
    return info


def refuse_what_nothing_reads(cfg: DetectionConfig) -> None:
    """An experiment that would train as the plain detector, under another name, is refused."""
    from assay.errors import UserError

    wanted = {
        "model.attention": cfg.model.attention != "none",
        "train.teacher": bool(cfg.train.teacher),
        "train.synthetic": bool(cfg.train.synthetic),
    }
    if missing := [key for key, is_wanted in wanted.items() if is_wanted]:
        raise UserError(
            f"experiment={cfg.experiment.id}: {', '.join(missing)}: configured, but no stage does it yet; without it "
            "this would be another experiment"
        )


def _log(run: Run, name: str, value: float, epoch: int, epochs: int) -> None:
    run.metric(name, value, epoch)
    if name == "map50":
        print(f"epoch {epoch} of {epochs}: mAP50 {value:.3f} on the val images", flush=True)


def starting_weights(cfg: DetectionConfig, before: Path | None = None) -> "DetectorWeights":
    """Where the network starts: `before`, model.fine_tune as trained last, or the sources of `resolve_detector`."""
    from assay.errors import UserError
    from assay.models.detector_weights import resolve_detector
    from pipelines.detection.asking import stored

    model = cfg.model
    if model.fine_tune and before is None:
        before = stored(cfg, model.fine_tune)
        if not (before / "model.json").is_file():
            if not cfg.profile.weights.allow_random_init:
                raise UserError(
                    f"model.fine_tune={model.fine_tune}: not trained here ({before} is missing); train that first, or "
                    "set model.fine_tune=null to start from pretrained weights"
                )
            print(
                f"note: {model.fine_tune}, which {cfg.experiment.id} goes on from, is not trained here ({before})"
            )
            before = None
    return resolve_detector(
        model.architecture,
        path=model.weights,
        pretrained=model.pretrained,
        trained=before,
        **cfg.profile.weights.model_dump(),
    )


def _rows(cfg: DetectionConfig) -> "pd.DataFrame":
    """Manifest rows of splits train (of the experiment's subset, at most train.max_images) and val."""
    import numpy as np
    import pandas as pd

    from assay.data.classification import read_manifest

    manifest = read_manifest(Path(cfg.build) / "dataset")
    train = manifest[manifest["split"] == "train"]
    if cfg.train.subset and (train["subset"] != "").any():
        train = train[train["subset"] == cfg.train.subset]
    if cfg.train.max_images and len(train) > cfg.train.max_images:
        chosen = np.random.default_rng(cfg.seed).permutation(len(train))[: cfg.train.max_images]
        train = train.iloc[np.sort(chosen)]
    return pd.concat([train, manifest[manifest["split"] == "val"]], ignore_index=True)


def _boxes(dataset: Path, rows: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    boxes = pd.read_parquet(dataset / "boxes.parquet")
    sizes = rows[["image", "width", "height"]]
    return boxes[~boxes["ignore"]].merge(sizes, on="image").reset_index(drop=True)


def _negatives(cfg: DetectionConfig, run: Run) -> list[Path]:
    """Pictures that a reviewer found empty, at most train.hard_negatives of them, spread over the categories."""
    import pandas as pd

    from assay.files import read_json

    if not cfg.train.hard_negatives:
        return []
    folder = Path(cfg.build) / "hard_examples"
    examples = pd.read_csv(folder / "examples.csv", keep_default_na=False)
    empty = examples[examples["use"] == "negative"].sort_values("candidate")
    turn = empty.groupby("label").cumcount()
    chosen = empty.loc[turn.sort_values(kind="stable").index[: cfg.train.hard_negatives]]
    miner = read_json(folder / "report.json")["mined_by"]
    run.tag("mined_by", f"{miner['experiment']} ({miner['profile']})")
    run.metric("hard_negatives", len(chosen))
    if len(chosen) < cfg.train.hard_negatives:
        print(
            f"note: {len(chosen)} reviewed negatives are there, {cfg.experiment.id} asks for {cfg.train.hard_negatives}"
        )
    return [folder / "images" / name for name in chosen["picture"]]
