"""Export the trained model, prove that every export behaves like it, and ask for its registration.

Writes build/<project>/export: model.onnx, openvino/, metadata.json and parity.json. An export that differs from the model
by more than the budget in conf/ fails the stage. `assay registry sync` registers what passed.
"""

from pathlib import Path
from typing import Any

from assay.config import ClassificationConfig
from assay.entrypoint import run_stage


def main(cfg: ClassificationConfig) -> dict[str, Any]:
    """Export and verify; returns the parity report."""
    from assay.data.classification import read_manifest, source_of
    from assay.export.metadata import describe
    from assay.export.onnx import export_onnx
    from assay.export.openvino import export_openvino
    from assay.export.parity import check_parity
    from assay.files import fresh_folder, write_json
    from assay.models.classifier import load_classifier
    from assay.training.precision import start_torch
    from pipelines.recording import stage_run

    start_torch(cfg.seed)
    build = Path(cfg.build)
    module, info = load_classifier(build / "model")
    source = source_of(build / "dataset")
    manifest = read_manifest(build / "dataset")
    held_out = manifest[manifest["split"] == "val"]
    name = f"{cfg.experiment.id} · {cfg.profile.name} · seed {cfg.seed}"
    with (
        stage_run(cfg, "export", name=name, model_id=info["id"]) as run,
        fresh_folder(build / "export") as folder,
    ):
        run.data(source)
        thresholds = cfg.evaluate.routing.model_dump() if cfg.evaluate.routing else {}
        metadata = describe(info, source=source, thresholds=thresholds)
        write_json(folder / "metadata.json", metadata)
        export_onnx(module, folder / "model.onnx", metadata=metadata)
        if "openvino" in cfg.export.runtimes:
            export_openvino(folder / "model.onnx", folder / "openvino", metadata=metadata)
        report = check_parity(
            module,
            info,
            folder,
            runtimes=cfg.export.runtimes,
            images=[Path(cfg.data) / image for image in held_out["image"]],
            labels=held_out["label"].map(info["classes"].index).tolist(),
            max_probability_difference=cfg.export.max_probability_difference,
            max_accuracy_drop=cfg.export.max_accuracy_drop,
        )
        for runtime, found in report["runtimes"].items():
            run.metric(f"export/{runtime}/max_probability_difference", found["max_probability_difference"])
            run.metric(f"export/{runtime}/accuracy_drop", found["accuracy_drop"])
        run.artifact(folder / "parity.json")
        run.artifact(folder / "metadata.json")
        run.model(
            cfg.project.registered_model,
            build / "export",
            tags={
                "project": cfg.project.name,
                "experiment": cfg.experiment.id,
                "profile": cfg.profile.name,
                "source": source["source"],
                "weights": info["weights"]["origin"],
                "variant": f"{info['architecture']}_{cfg.experiment.id}_{info['image_size']}",  # as document 000 names
                "verified": ",".join(cfg.export.runtimes),
            },
            aliases=["candidate"],
        )
    print(f"{build}/export: {', '.join(cfg.export.runtimes)} behave like the model (see parity.json)")
    return report


if __name__ == "__main__":
    run_stage(main, __doc__)
