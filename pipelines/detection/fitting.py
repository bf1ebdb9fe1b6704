"""Train one detector from its configuration: shared by the baseline, the experiment and every job of a sweep."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import DetectionConfig
from assay.tracking import Run

if TYPE_CHECKING:
    import pandas as pd

    from assay.models.detector_weights import DetectorWeights
    from assay.training.corrected import Corrected
    from assay.training.negatives import Negatives


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
    before: the detector to go on from, or to learn from, trained as model.fine_tune or train.teacher says; None: look
    where that was trained last.
    """
    from assay.training.precision import start_torch

    start_torch(cfg.seed)
    import pandas as pd

    from assay.data.classification import source_of
    from assay.files import fresh_folder, read_json
    from assay.models.detector import save_detector
    from assay.training.detection import BATCHES, train_detector
    from pipelines.detection.pretraining import pretrained

    dataset = Path(cfg.build) / "dataset"
    run.data(source_of(dataset))
    weights = pretrained(cfg, starting_weights(cfg, before if cfg.model.fine_tune else None), work, run)
    run.tag("weights", weights.origin)
    root = weights.root or weights.origin
    if cfg.model.pretrained and root in ("random", "starter"):
        run.rename(f"{run.state['name']} · {root.upper()} weights")  # never a look-alike of the published
    rows = _rows(cfg)
    labelled = int((rows["split"] == "train").sum())
    negatives = _negatives(cfg, run, labelled)
    boxes = _boxes(dataset, rows)
    corrected = _corrected(cfg, run, rows, boxes)
    if corrected:
        rows, boxes = corrected.rows, corrected.boxes
    added = {"taught": 0, "generated": 0}
    for way, more in (
        ("taught", _taught(cfg, before, work / "taught", run)),
        ("generated", _generated(cfg, labelled, work / "generated", run)),
    ):
        if more is not None and len(more[0]):
            added[way] = len(more[0])
            rows = pd.concat([rows, more[0]], ignore_index=True)
            shared = [*boxes.columns.intersection(more[1].columns)]
            boxes = pd.concat([boxes, more[1][shared]], ignore_index=True)
    trained = train_detector(
        rows,
        boxes,
        root=dataset,
        negatives=negatives.pictures if negatives else [],
        classes=cfg.project.classes,
        architecture=cfg.model.network,
        image_size=cfg.model.image_size,
        weights=weights,
        settings=cfg.train.model_dump(),
        precision=cfg.train.precision,
        select=cfg.train.select,
        seed=cfg.seed,
        work=work,
        log=lambda name, value, epoch: _log(run, name, value, epoch, cfg.train.epochs),
    )
    facts: dict[str, Any] = {"experiment": cfg.experiment.id, "profile": cfg.profile.name}
    facts["images"] = {**trained.info["images"], "train": labelled, **added}
    if negatives:
        facts["negatives"] = negatives.about(labelled)
    if corrected:
        facts["corrected"] = corrected.about
    with fresh_folder(out) as folder:
        if negatives:
            negatives.rows.to_csv(folder / "negatives.csv", index=False)
        save_detector(folder, trained.module, trained.info | facts)
        history = pd.DataFrame(trained.history)
        history.set_axis(range(1, len(history) + 1)).rename_axis("epoch").to_csv(folder / "history.csv")
    for name in ("model.json", "history.csv"):
        run.artifact(out / name)
    if (work / BATCHES).is_dir():  # not after a training of no epochs
        run.artifact(work / BATCHES)
    info: dict[str, Any] = read_json(out / "model.json")
    return info


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
    from assay.errors import UserError

    manifest = read_manifest(Path(cfg.build) / "dataset")
    train = manifest[manifest["split"] == "train"]
    if cfg.train.subset and (train["subset"] != "").any():
        if cfg.train.subset not in (there := sorted(set(train["subset"]))):
            raise UserError(
                f"train.subset = {cfg.train.subset!r} of {cfg.experiment.id}: the data has the folders "
                f"{', '.join(there)}; name one of them, or null to train on all"
            )
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


def asks_for_negatives(cfg: DetectionConfig) -> bool:
    """Whether the experiment trains on reviewed negatives at all."""
    return bool(cfg.train.hard_negatives or cfg.train.negative_share)


def _negatives(cfg: DetectionConfig, run: Run, images: int) -> "Negatives | None":
    """Reviewed empty pictures as asked for, none of a clip on which false alarms are measured."""
    from assay.data.classification import read_manifest
    from assay.files import read_json
    from assay.mining.images import barred
    from assay.training.negatives import read_negatives, share_of

    if not asks_for_negatives(cfg):
        return None
    dataset, folder, how = Path(cfg.build) / "dataset", Path(cfg.build) / "hard_examples", cfg.train
    found = read_negatives(
        folder,
        most=how.hard_negatives,
        share=how.negative_share,
        images=images,
        held_out=negative_clips(dataset),
        barred=barred(read_manifest(dataset)),
    )
    miner, number = read_json(folder / "report.json")["mined_by"], len(found.pictures)
    run.tag("mined_by", f"{miner['experiment']} ({miner['profile']})")
    run.tag("negatives_reviewed_by", ", ".join(found.about(images)["by_kind"]) or "nobody")
    run.metric("hard_negatives", number)
    if how.negative_share is None and number < how.hard_negatives:
        print(
            f"note: {number} reviewed negatives are there, {cfg.experiment.id} asks for {how.hard_negatives}"
        )
    if (share := share_of(number, images)) > how.negative_warning:
        print(
            f"warning: {number} hard negatives are {100 * share:.0f} % of {number + images} training images, more than "
            f"{100 * how.negative_warning:g} % (train.negative_warning): a detector may learn to miss"
        )
    return found


def _corrected(
    cfg: DetectionConfig, run: Run, rows: "pd.DataFrame", boxes: "pd.DataFrame"
) -> "Corrected | None":
    """The training data with the boxes that reviewers drew, where the experiment asks for them."""
    import pandas as pd

    from assay.data.classification import read_manifest
    from assay.mining.images import barred
    from assay.training.corrected import with_corrected

    if not cfg.train.reviewed_boxes:
        return None
    dataset, folder = Path(cfg.build) / "dataset", Path(cfg.build) / "hard_examples"
    manifest = read_manifest(dataset)
    found = with_corrected(
        rows,
        boxes,
        pd.read_csv(folder / "examples.csv", keep_default_na=False, dtype={"candidate": str}),
        pictures=folder,
        labelled=manifest.loc[manifest["split"] == "train", "image"].tolist(),
        barred=barred(manifest),
        classes=cfg.project.classes,
    )
    run.metric("corrected_images", found.replaced)
    run.metric("annotated_images", found.added)
    run.tag("boxes_reviewed_by", ", ".join(found.by_kind) or "nobody")
    if found.replaced or found.added:
        print(
            f"reviewers' boxes: on {found.replaced} training images instead of theirs, and on {found.added} more"
        )
    return found


def negative_clips(dataset: Path) -> list[str]:
    """The clips that show no object by where they lie: false alarms are counted on them, so none of them may teach."""
    import pandas as pd

    from assay.data.workzone import NEGATIVES

    if not (dataset / "clips.csv").is_file():
        return []
    clips = pd.read_csv(dataset / "clips.csv", dtype={"clip": str})
    return clips.loc[clips["path"].str.startswith(f"{NEGATIVES}/"), "clip"].tolist()


def _taught(
    cfg: DetectionConfig, before: Path | None, folder: Path, run: Run
) -> "tuple[pd.DataFrame, pd.DataFrame] | None":
    """The teacher's sure boxes on frames of the clips; see `assay.training.teacher`. None without a teacher."""
    if not cfg.train.teacher:
        return None
    import pandas as pd

    from assay.data.classification import read_manifest
    from assay.errors import UserError
    from assay.mining.clips import minable_clips
    from assay.models.detector import load_detector
    from assay.training.teacher import taught_frames
    from pipelines.detection.asking import stored

    name, dataset = str(cfg.train.teacher), Path(cfg.build) / "dataset"
    before = before or stored(cfg, name)
    if not (before / "model.json").is_file():
        raise UserError(f"train.teacher={name}: not trained here ({before} is missing); train that first")
    if not (dataset / "clips.csv").is_file():
        raise UserError(f"{dataset}/clips.csv: missing; a teacher needs clips that nobody labelled")
    clips = pd.read_csv(dataset / "clips.csv", dtype={"clip": str})
    clips = minable_clips(clips, read_manifest(dataset))
    teacher, info = load_detector(before)
    rows, boxes = taught_frames(
        teacher,
        clips[~clips["clip"].isin(negative_clips(dataset))],
        Path(cfg.data),
        folder,
        classes=cfg.project.classes,
        confidence=cfg.train.teacher_confidence,
        nms_iou=cfg.evaluate.inference.nms_iou,
        max_boxes=cfg.evaluate.max_boxes,
        most=cfg.train.teacher_frames,
    )
    run.tag("teacher", f"{info['experiment']} {info['id']}")
    run.metric("taught_frames", len(rows))
    run.metric("taught_boxes", len(boxes))
    print(f"{name} taught {len(boxes)} boxes on {len(rows)} frames that nobody labelled")
    if rows.empty:
        print(f"note: {name} is sure of nothing ({cfg.train.teacher_confidence:g}): the student learns alone")
    return rows, boxes


def _generated(
    cfg: DetectionConfig, labelled: int, folder: Path, run: Run
) -> "tuple[pd.DataFrame, pd.DataFrame] | None":
    """Drawn pages, `train.synthetic` for each of the `labelled` real training images. None where that is none."""
    count = round(cfg.train.synthetic * labelled)
    if not count:
        return None
    from assay.errors import UserError
    from assay.training.generated_pages import generated_pages

    if cfg.project.name != "documents":
        raise UserError(
            f"train.synthetic={cfg.train.synthetic:g}: pages are drawn, and {cfg.project.name} has none; set it to 0"
        )
    rows, boxes = generated_pages(folder, count, class_map=cfg.prepare.class_map, seed=cfg.seed)
    run.metric("generated_images", len(rows))
    run.metric("generated_boxes", len(boxes))
    print(f"{len(rows)} pages drawn with {len(boxes)} marks, beside {labelled} real ones", flush=True)
    return rows, boxes
