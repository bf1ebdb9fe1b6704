"""Training low-rank adapters on the prepared crops: one more way to classify conditions, beside pipelines/condition."""

from pathlib import Path
from typing import Any

from assay.config.condition import VisionLanguageConfig
from assay.tracking import Run


def train_into(cfg: VisionLanguageConfig, out: Path, *, work: Path, run: Run) -> dict[str, Any]:
    """Read data and weights, train, and write the adapters and their curves to `out`; returns model.json.

    The backbone is not copied: model.json says to which one the adapters belong. A killed training goes on after its
    last epoch, from a checkpoint in `work`.
    """
    from assay.models import qwen_adapter
    from assay.training.precision import device, start_torch

    start_torch(cfg.seed)
    import pandas as pd

    from assay.data.condition import labels_of, read_manifest, two_of
    from assay.data.source import read_source
    from assay.files import fresh_folder, sha256_file, write_json
    from assay.training.checkpoint import Checkpoint, fingerprint
    from assay.training.vision_language import train_adapters
    from pipelines.condition.fitting import parts_of, tell, with_drawn
    from pipelines.vision_language.answers import found_of, questions_of, words_of

    found = found_of(cfg)
    run.tag("weights", found.weights.origin)
    dataset = Path(cfg.build) / "dataset"
    manifest = read_manifest(dataset)
    run.data(read_source(dataset))
    labels, classes = labels_of(manifest, cfg.model.classes, cfg.project.classes)
    two = two_of(manifest, labels, cfg.project.classes)
    rows, chosen_by = parts_of(cfg, with_drawn(cfg, manifest.assign(label=labels)), classes, run)
    shown = questions_of(cfg, rows, classes)
    watched = None if chosen_by is None else questions_of(cfg, chosen_by, classes)

    network = qwen_adapter.load(found, device())
    frozen = sum(tensor.numel() for tensor in network.parameters())
    adapters = cfg.model.model_dump(include={"rank", "alpha", "dropout", "targets"})
    network = qwen_adapter.adapt(network, seed=cfg.seed, **adapters).to(device())
    arguments = cfg.train.model_dump(
        include={"epochs", "batch", "lr", "weight_decay", "class_weights", "patience"}
    )
    decides = {
        **{"adapters": adapters, "train": cfg.train.model_dump(mode="json"), "seed": cfg.seed},
        **{"weights": found.weights.detail, "asked": shown.asked, "words": words_of(classes)},
    }
    arrays = [array for part in (shown, watched) if part for array in (part.crops, part.labels)]
    facts, history = train_adapters(
        asker=qwen_adapter.Asker(network, found.folder),
        train=shown,
        val=watched,
        words=words_of(classes),
        seed=cfg.seed,
        checkpoint=Checkpoint(work / "checkpoint.pt", fingerprint(decides, arrays, {})),
        log=run.metric,
        **arguments,
    )
    trainable = sum(tensor.numel() for tensor in network.parameters() if tensor.requires_grad)
    info: dict[str, Any] = {
        **cfg.model.model_dump(mode="json", exclude={"weights", "classes"}),
        "head": "words",
        "architecture": cfg.model.backbone.rpartition("/")[2],
        "classes": classes,
        "two": two,
        "object_types": list(cfg.prepare.object_types),
        "weights": {"origin": found.weights.origin, "detail": found.weights.detail},
        "experiment": cfg.experiment.id,
        "profile": cfg.profile.name,
        "seed": cfg.seed,
        "parameters": {"trainable": trainable, "frozen": frozen, "total": trainable + frozen},
        **facts,
    }
    with fresh_folder(out) as folder:
        qwen_adapter.save_adapters(network, folder)
        written = folder / qwen_adapter.ADAPTER
        info |= {"id": sha256_file(written)[:32], "size_mb": round(written.stat().st_size / 1e6, 3)}
        write_json(folder / "model.json", info)
        pd.DataFrame(history).to_csv(folder / "history.csv", index=False)
    tell(cfg, out, info, run)
    return info
