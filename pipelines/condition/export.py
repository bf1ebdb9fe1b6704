"""pipelines/export.py for condition classifiers: every file takes pixels, types and spatial numbers."""

from functools import partial
from pathlib import Path
from typing import Any

from assay.config.condition import ConditionConfig


def main(cfg: ConditionConfig) -> dict[str, Any]:
    """Export and verify; returns the parity report."""
    import numpy as np

    from assay.data.condition import labels_of, read_manifest
    from assay.export.condition import check_condition_parity, describe, export_condition
    from assay.export.condition_predictor import ConditionPredictor
    from assay.models.condition import load_condition
    from pipelines.condition.features import arrays_of
    from pipelines.exporting import exporting

    build = Path(cfg.build)
    with exporting(cfg) as export:
        module, _ = load_condition(build / "model")
        manifest = read_manifest(build / "dataset")
        labels, _ = labels_of(manifest, cfg.model.classes, cfg.project.classes)
        test = manifest[manifest["split"] == "test"]
        crops = [build / "dataset" / crop for crop in test["crop"]]
        arrays = arrays_of(test, export.info)
        metadata = export.describe(describe(export.info, source=export.source))
        runtimes = cfg.export.runtimes
        export_condition(module, export.folder / "model.onnx", metadata=metadata, runtimes=runtimes)
        report = check_condition_parity(
            module,
            export.info,
            export.folder,
            crops=crops,
            types=arrays["types"],
            spatial=arrays["spatial"],
            labels=labels[test.index].map(export.info["classes"].index).to_numpy(np.int64),
            groups=test["group"].tolist(),
            **cfg.export.model_dump(),
            draws=cfg.evaluate.bootstrap_draws,
            seed=cfg.seed,
        )
        one = crops[:1], test["object_type"].tolist()[:1], arrays["spatial"][:1]
        measured = ("max_probability_difference", "accuracy_drop")
        for runtime, found in report["runtimes"].items():
            predictor = ConditionPredictor.load(export.folder, runtime)
            export.measured(runtime, found, measured, partial(predictor.predict, *one))
    return report
