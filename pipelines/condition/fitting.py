"""Training one condition classifier on the prepared crops: shared by the baseline, the experiment and sweeps."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config.condition import ConditionConfig, StageTwo
from assay.errors import UserError
from assay.tracking import Run

if TYPE_CHECKING:
    import pandas as pd

    from assay.models.backbones import Backbone
    from assay.models.weights import Weights
    from assay.training.condition import Examples, TrainedCondition


def fit(cfg: StageTwo, stage: str) -> dict[str, Any]:
    """Train as a stage of the graph: into build/<project>/<baseline|model>, recorded as a run; returns model.json."""
    import shutil

    from pipelines.recording import MODEL, model_tags, run_name, stage_run
    from pipelines.tasks import part_of

    work = Path("runs/training") / cfg.project.name / stage
    out = Path(cfg.build) / {"baseline": "baseline", "train": "model"}[stage]
    with stage_run(cfg, stage, sections=MODEL, name=run_name(cfg), tags=model_tags(cfg)) as run:
        info: dict[str, Any] = part_of(cfg.task, "fitting").train_into(cfg, out, work=work, run=run)
        if stage == "train":  # evaluation and export look for the model's run by the model's id
            run.identify(info["id"])
    shutil.rmtree(work, ignore_errors=True)
    print(
        f"{out}: {cfg.experiment.id}, {info['trained_on']} crops, {info['parameters']['trainable']:,} parameters "
        f"learnt on {info['backbone']} ({info['weights']['origin']} weights)"
    )
    return info


def train_into(cfg: ConditionConfig, out: Path, *, work: Path, run: Run) -> dict[str, Any]:
    """Read data and weights, train, and write the model and its curves to `out`; returns model.json.

    work: as every task's training has it; this one leaves nothing there, a killed one starts anew.
    """
    from assay.training.precision import start_torch

    start_torch(cfg.seed)
    import pandas as pd

    from assay.data.condition import labels_of, read_manifest, two_of
    from assay.data.condition_features import feature_names
    from assay.data.source import read_source
    from assay.files import fresh_folder, read_json
    from assay.models.backbones import SIDE, Backbone, resolve
    from assay.models.condition import save_condition

    dataset, model = Path(cfg.build) / "dataset", cfg.model
    manifest = read_manifest(dataset)
    run.data(read_source(dataset))
    labels, classes = labels_of(manifest, model.classes, cfg.project.classes)
    weights = resolve(model.backbone, path=model.weights, **cfg.profile.weights.model_dump())
    run.tag("weights", weights.origin)
    if weights.origin == "random":
        run.rename(f"{run.state['name']} · RANDOM weights")  # never a look-alike of the published experiment
    backbone = Backbone(model.backbone, weights, seed=cfg.seed)
    info: dict[str, Any] = {
        **model.model_dump(mode="json", exclude={"weights", "classes", "prompts"}),
        "architecture": model.backbone.rpartition("/")[2],
        "classes": classes,
        "two": two_of(manifest, labels, cfg.project.classes),
        "object_types": list(cfg.prepare.object_types),
        "spatial_features": feature_names(model.spatial),
        "image_size": SIDE,
        "weights": {"origin": weights.origin, "detail": weights.detail},
        "experiment": cfg.experiment.id,
        "profile": cfg.profile.name,
        "seed": cfg.seed,
    }
    if model.head == "prompts":
        trained = _zero_shot(cfg, info, backbone, weights)
    else:
        trained = _train(cfg, with_drawn(cfg, manifest.assign(label=labels)), info, backbone, run)
    with fresh_folder(out) as folder:
        save_condition(folder, trained.module, info | trained.facts)
        pd.DataFrame(trained.history).to_csv(folder / "history.csv", index=False)
    info = read_json(out / "model.json")
    tell(cfg, out, info, run)
    return info


def tell(cfg: StageTwo, out: Path, info: dict[str, Any], run: Run) -> None:
    """Keep what was written to `out` with the run, and say so where training failed."""
    for name in ("model.json", "history.csv"):
        run.artifact(out / name)
    if info["collapsed"]:
        run.tag("collapsed", info["collapsed"])
        print(f"COLLAPSED: {cfg.experiment.id} {info['collapsed']}")


def _train(
    cfg: ConditionConfig, manifest: "pd.DataFrame", info: dict[str, Any], backbone: "Backbone", run: Run
) -> "TrainedCondition":
    from assay.training.condition import train_condition
    from pipelines.condition.features import crops_of, image_features

    train, model = cfg.train, cfg.model
    rows, chosen_by = parts_of(cfg, manifest, info["classes"], run)
    parts: dict[str, Examples | None] = {"train": None, "val": None}
    if model.unfrozen_blocks == 0:
        features = dict(zip(manifest["image"], image_features(cfg, manifest, backbone, run), strict=True))
    for name, part in (("train", rows), ("val", chosen_by)):
        if part is not None:
            visual = crops_of(cfg, part) if model.unfrozen_blocks != 0 else _pick(features, part)
            parts[name] = _examples(part, visual, info)
    assert parts["train"] is not None  # noqa: S101 - `rows` is never None
    return train_condition(
        backbone=backbone,
        train=parts["train"],
        val=parts["val"],
        types=len(info["object_types"]),
        classes=len(info["classes"]),
        seed=cfg.seed,
        log=run.metric,
        **model.model_dump(include={"type_embedding", "hidden", "dropout", "unfrozen_blocks"}),
        **train.model_dump(
            include={"epochs", "batch", "lr", "weight_decay", "class_weights", "patience"},
        ),
    )


def parts_of(
    cfg: StageTwo, manifest: "pd.DataFrame", classes: list[str], run: Run
) -> "tuple[pd.DataFrame, pd.DataFrame | None]":
    """The rows to train on, and those an epoch is chosen by; None where the last one is kept."""
    from assay.data.condition import held_out
    from assay.data.items import POOL

    if cfg.train.selection == "last":
        return _rows(cfg, manifest, classes, run), None
    watched = held_out(manifest, cfg.train.validation_share, cfg.seed)
    drawn_there = (manifest["split"] == POOL) & manifest["group"].isin(manifest.loc[watched, "group"])
    chosen_by = _as_reviewed(cfg, manifest[watched], classes)
    return _rows(cfg, manifest[~watched & ~drawn_there], classes, run), chosen_by


def _pick(features: dict[str, Any], rows: "pd.DataFrame") -> Any:
    import numpy as np

    return np.stack([features[image] for image in rows["image"]])


def _examples(rows: "pd.DataFrame", visual: Any, info: dict[str, Any]) -> "Examples":
    import numpy as np

    from assay.training.condition import Examples
    from pipelines.condition.features import arrays_of

    labels = rows["label"].map(info["classes"].index).to_numpy(np.int64, copy=True)
    return Examples(visual=visual, labels=labels, **arrays_of(rows, info))


def with_drawn(cfg: StageTwo, manifest: "pd.DataFrame") -> "pd.DataFrame":
    """The manifest, and the instances that reviewers drew where the experiment asks for them; those without a label."""
    import pandas as pd

    if not cfg.train.hard_examples.use:
        return manifest
    drawn = pd.read_parquet(Path(cfg.build) / "hard_examples/drawn.parquet")
    return pd.concat([manifest, drawn], ignore_index=True) if len(drawn) else manifest


def _rows(cfg: StageTwo, manifest: "pd.DataFrame", classes: list[str], run: Run) -> "pd.DataFrame":
    """The rows to train on, reviewed labels applied where the experiment asks for them."""
    from assay.files import read_json
    from assay.training.examples import training_rows

    reviewed, how = _reviewed(cfg), cfg.train.hard_examples
    if reviewed is not None:
        miner = read_json(Path(cfg.build) / "hard_examples/report.json")["mined_by"]
        run.tag("mined_by", f"{miner['experiment']} ({miner['profile']})")
        run.metric("reviewed", len(reviewed))
    chosen = training_rows(
        manifest,
        reviewed,
        classes=classes,
        repeat=how.repeat,
        max_images=cfg.train.max_images,
        seed=cfg.seed,
    )
    told = manifest.drop(columns=["label", "group"])
    return chosen.merge(told, on="image", how="left", validate="many_to_one")


def _reviewed(cfg: StageTwo) -> "pd.DataFrame | None":
    """What reviewers said last of each instance (image, label), where the experiment asks for it."""
    import pandas as pd

    if not cfg.train.hard_examples.use:
        return None
    folder = Path(cfg.build) / "hard_examples"
    said = pd.concat([pd.read_csv(folder / name) for name in ("examples.csv", "drawn.csv")])
    return said.sort_values("at", kind="stable").drop_duplicates("image", keep="last")


def _as_reviewed(cfg: StageTwo, rows: "pd.DataFrame", classes: list[str]) -> "pd.DataFrame":
    """The rows an epoch is chosen by, with reviewed labels as training has them; without those of no class."""
    from assay.training.examples import answers

    if (reviewed := _reviewed(cfg)) is None:
        return rows
    rows = rows.assign(label=answers(rows, reviewed).fillna(rows["label"]))
    return rows[rows["label"].isin(classes)]


def _zero_shot(
    cfg: ConditionConfig, info: dict[str, Any], backbone: "Backbone", weights: "Weights"
) -> "TrainedCondition":
    """No training: each object type's prompts become the head."""
    import torch

    from assay.models.backbones import is_clip
    from assay.models.clip_adapter import embed_texts
    from assay.models.condition import ConditionClassifier, PromptHead
    from assay.training.condition import TrainedCondition

    if not is_clip(cfg.model.backbone):
        raise UserError(
            f"experiment={cfg.experiment.id}: head=prompts needs CLIP, and the {cfg.profile.name} profile puts "
            f"{cfg.model.backbone} in its place, which knows no words; take profile=full where CLIP's weights are "
            "at hand or can be downloaded"
        )
    if missing := sorted(set(info["classes"]) - set(cfg.model.prompts)):
        raise UserError(f"model.prompts: no prompt for {', '.join(missing)}")
    texts = [
        cfg.model.prompts[label].format(object_type=kind.replace("_", " "))
        for kind in info["object_types"]
        for label in info["classes"]
    ]
    embedded = embed_texts(cfg.model.backbone, weights, texts)
    head = PromptHead(embedded.view(len(info["object_types"]), len(info["classes"]), -1))
    backbone.unfreeze(0)
    facts = {
        "device": "cpu",
        "threads": torch.get_num_threads(),
        "trained_on": 0,
        "held_out": 0,
        "epochs_run": 0,
        "best_epoch": 0,
        "last_accuracy": None,
        "collapsed": None,
    }
    return TrainedCondition(ConditionClassifier(backbone, head).eval(), facts, [])
