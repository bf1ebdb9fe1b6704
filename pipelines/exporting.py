"""The frame of every task's export stage: its record, its folder, its failure, its wish to be registered."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import UserError
from assay.tracking import Run

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Export:
    """An export in the making. info: model.json of the model; source: SOURCE.yaml of its data."""

    run: Run
    folder: Path
    info: dict[str, Any]
    source: dict[str, Any]

    def describe(self, metadata: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write metadata.json."""
        from assay.files import write_json

        write_json(self.folder / "metadata.json", metadata)
        return metadata

    def measured(
        self,
        runtime: str,
        found: Mapping[str, Any],
        names: Sequence[str],
        predict_one: Callable[[], object],
    ) -> None:
        """Record those `names` of what parity found of a runtime, and how long one of its predictions takes."""
        from assay.export.latency import latency

        for name in names:
            self.run.metric(f"export/{runtime}/{name}", found[name])
        self.run.metric(f"export/{runtime}/latency_median_ms", latency(predict_one)["median_ms"])


def calibrating(cfg: Any, folder: Path, manifest: "pd.DataFrame") -> tuple[list[str], dict[str, Any]]:
    """The training images openvino_int8 is calibrated on, and what metadata.json says of them; empty where nobody asked.

    They are listed in calibration.csv in `folder`. Raises UserError when no training image is left.
    """
    from assay.export.int8 import calibration_set, describe_calibration

    if "openvino_int8" not in cfg.export.runtimes:
        return [], {}
    chosen = calibration_set(manifest, images=cfg.export.calibration_images, seed=cfg.seed)
    chosen[["image", "pixels"]].to_csv(folder / "calibration.csv", index=False)
    return chosen["image"].tolist(), {"calibration": describe_calibration(chosen, seed=cfg.seed)}


@contextmanager
def exporting(cfg: Any) -> Iterator[Export]:
    """Yield what the stage fills with model files, metadata.json and parity.json.

    When the block ends well the folder becomes build/<project>/export and its registration is asked for. Raises
    UserError when the block raises ParityError (parity.json is kept with the run), or when there is no trained model.
    """
    from assay.data.source import read_source
    from assay.export.parity import ParityError
    from assay.files import fresh_folder
    from assay.training.precision import start_torch
    from pipelines.recording import MODEL, model_tags, run_name, stage_run, trained_as, version_tags

    start_torch(cfg.seed)
    build = Path(cfg.build)
    info = trained_as(cfg, build / "model")
    source = read_source(build / "dataset")
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
        try:
            yield Export(run, folder, info, source)
        except ParityError as error:
            run.artifact(folder / "parity.json")
            raise UserError(f"{build}/export: {error}; the report is in {run.folder}/artifacts") from error
        for name in ("parity.json", "metadata.json"):
            run.artifact(folder / name)
        run.model(
            cfg.project.registered_model,
            build / "export",
            tags=version_tags(cfg, info, source["source"]) | {"verified": ",".join(cfg.export.runtimes)},
            aliases=["candidate"],
        )
    print(f"{build}/export: {', '.join(cfg.export.runtimes)} behave like the model (see parity.json)")
