"""Export the condition classifier, prove that the export behaves like it, and ask for its registration.

Writes build/conditions/export: model.onnx (pixels, types and spatial numbers in, probabilities out), metadata.json
and parity.json. An export that differs from the model by more than the budget in conf/ fails the stage.
"""

from pathlib import Path
from typing import Any

from assay.config.condition import ConditionConfig
from assay.errors import UserError


def main(cfg: ConditionConfig) -> dict[str, Any]:
    """Export and verify; returns the parity report."""
    import numpy as np

    from assay.data.condition import labels_of, read_manifest
    from assay.data.source import read_source
    from assay.export.condition import check_condition_parity, describe, export_condition
    from assay.export.condition_predictor import ConditionPredictor
    from assay.export.latency import latency
    from assay.export.parity import ParityError
    from assay.files import fresh_folder, write_json
    from assay.models.condition import load_condition
    from assay.training.precision import start_torch
    from pipelines.condition.features import arrays_of
    from pipelines.recording import MODEL, model_tags, run_name, stage_run, trained_as, version_tags

    start_torch(cfg.seed)
    build = Path(cfg.build)
    info = trained_as(cfg, build / "model")
    module, _ = load_condition(build / "model")
    source = read_source(build / "dataset")
    manifest = read_manifest(build / "dataset")
    labels, _ = labels_of(manifest, cfg.model.classes, cfg.project.classes)
    test = manifest[manifest["split"] == "test"]
    crops = [build / "dataset" / crop for crop in test["crop"]]
    arrays = arrays_of(test, info)
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
        metadata = describe(info, source=source)
        write_json(folder / "metadata.json", metadata)
        export_condition(module, folder / "model.onnx", metadata=metadata)
        try:
            report = check_condition_parity(
                module,
                info,
                folder,
                crops=crops,
                types=arrays["types"],
                spatial=arrays["spatial"],
                labels=labels[test.index].map(info["classes"].index).to_numpy(np.int64),
                **cfg.export.model_dump(exclude={"runtimes"}),
            )
        except ParityError as error:
            run.artifact(folder / "parity.json")
            raise UserError(f"{build}/export: {error}; the report is in {run.folder}/artifacts") from error
        found = report["runtimes"]["onnx"]
        run.metric("export/onnx/max_probability_difference", found["max_probability_difference"])
        run.metric("export/onnx/accuracy_drop", found["accuracy_drop"])
        predictor = ConditionPredictor.load(folder)
        one = crops[:1], test["object_type"].tolist()[:1], arrays["spatial"][:1]
        run.metric("export/onnx/latency_median_ms", latency(lambda: predictor.predict(*one))["median_ms"])
        run.artifact(folder / "parity.json")
        run.artifact(folder / "metadata.json")
        run.model(
            cfg.project.registered_model,
            build / "export",
            tags=version_tags(cfg, info, source["source"]) | {"verified": ",".join(cfg.export.runtimes)},
            aliases=["candidate"],
        )
    print(f"{build}/export: onnx behaves like the model (see parity.json)")
    return report
