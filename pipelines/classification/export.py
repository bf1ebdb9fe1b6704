"""Export the trained model, prove that every export behaves like it, and ask for its registration.

Writes build/<project>/export: model.onnx, openvino/, metadata.json and parity.json. An export that differs from the
model by more than the budget in conf/ fails the stage. `assay registry sync` registers what passed.
"""

from functools import partial
from pathlib import Path
from typing import Any

from assay.config import ClassificationConfig
from assay.errors import UserError


def main(cfg: ClassificationConfig) -> dict[str, Any]:
    """Export and verify; returns the parity report."""
    from assay.data.classification import read_manifest, source_of
    from assay.export.latency import latency
    from assay.export.metadata import describe
    from assay.export.onnx import export_onnx
    from assay.export.openvino import export_openvino
    from assay.export.parity import ParityError, check_parity
    from assay.export.predictor import Predictor
    from assay.files import fresh_folder, write_json
    from assay.models.classifier import load_classifier
    from assay.training.precision import start_torch
    from pipelines.recording import MODEL, model_tags, run_name, stage_run, trained_as, version_tags

    start_torch(cfg.seed)
    build = Path(cfg.build)
    info = trained_as(cfg, build / "model")
    module, _ = load_classifier(build / "model")
    source = source_of(build / "dataset")
    manifest = read_manifest(build / "dataset")
    held_out = manifest[manifest["split"] == "val"]
    images = [Path(cfg.data) / image for image in held_out["image"]]
    with (
        stage_run(
            cfg,
            "export",
            sections=(*MODEL, "export"),
            name=run_name(cfg),
            model_id=info["id"],
            tags=model_tags(cfg),
        ) as run,
        fresh_folder(build / "export") as folder,
    ):
        run.data(source)
        thresholds = cfg.evaluate.routing.model_dump() if cfg.evaluate.routing else {}
        metadata = describe(info, source=source, thresholds=thresholds)
        write_json(folder / "metadata.json", metadata)
        export_onnx(module, folder / "model.onnx", metadata=metadata)
        if "openvino" in cfg.export.runtimes:
            export_openvino(folder / "model.onnx", folder / "openvino", metadata=metadata)
        try:
            report = check_parity(
                module,
                info,
                folder,
                **cfg.export.model_dump(),
                images=images,
                labels=held_out["label"].map(info["classes"].index).tolist(),
            )
        except ParityError as error:
            run.artifact(folder / "parity.json")
            raise UserError(f"{build}/export: {error}; the report is in {run.folder}/artifacts") from error
        for runtime, found in report["runtimes"].items():
            run.metric(f"export/{runtime}/max_probability_difference", found["max_probability_difference"])
            run.metric(f"export/{runtime}/accuracy_drop", found["accuracy_drop"])
            predictor = Predictor.load(folder, runtime)
            speed = latency(partial(predictor.predict, images[:1]))
            run.metric(f"export/{runtime}/latency_median_ms", speed["median_ms"])
        run.artifact(folder / "parity.json")
        run.artifact(folder / "metadata.json")
        run.model(
            cfg.project.registered_model,
            build / "export",
            tags=version_tags(cfg, info, source["source"]) | {"verified": ",".join(cfg.export.runtimes)},
            aliases=["candidate"],
        )
    print(f"{build}/export: {', '.join(cfg.export.runtimes)} behave like the model (see parity.json)")
    return report
