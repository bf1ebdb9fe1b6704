"""Rank which annotated boxes are worth a second look: the baseline's misses and what it is unsure of.

Scores training instances, never test ones. Writes build/conditions/candidates: the table and a page of crops
(index.html) that opens by double click.
"""

from pathlib import Path
from typing import Any

from assay.config.condition import ConditionConfig


def main(cfg: ConditionConfig) -> dict[str, Any]:
    """Score, rank and write the candidates; returns how many there are and why."""
    from assay.data.condition import read_manifest
    from assay.data.images import read_image
    from assay.data.source import read_source
    from assay.files import fresh_folder, write_json
    from assay.mining.page import write_page
    from assay.mining.uncertainty import rank_candidates
    from pipelines.condition.scoring import probabilities
    from pipelines.recording import stage_run

    build = Path(cfg.build)
    tags = {"experiment": cfg.baseline.experiment}
    with stage_run(cfg, "mine", sections=("project", "data", "mine"), tags=tags) as run:
        manifest = read_manifest(build / "dataset")
        run.data(read_source(build / "dataset"))
        test = manifest["split"] != "train"
        near = manifest["group"].isin(manifest.loc[test, "group"])  # reviewed, they would leak into the test
        rows = manifest[~test & ~near].reset_index(drop=True)
        found, info = probabilities(cfg, build / "baseline", rows)
        table = rank_candidates(
            rows.assign(group=rows["pixels"]),  # a photo's boxes are different things to look at
            found,
            info["classes"],
            uncertain_below=cfg.mine.uncertain_below,
            max_candidates=cfg.mine.max_candidates,
        )
        about = rows.set_index("image")
        crops = about["crop"].to_dict()
        table = table.assign(
            group=about.loc[table["image"], "group"].to_numpy(),
            object_type=about.loc[table["image"], "object_type"].to_numpy(),
        )
        counts = {
            "scored": float(len(rows)),
            "candidates": float(len(table)),
            "misses": float((table["reason"] == "miss").sum()),
            "uncertain": float((table["reason"] == "uncertain").sum()),
        }
        with fresh_folder(build / "candidates") as folder:
            table.to_parquet(folder / "candidates.parquet", index=False)
            table.to_csv(folder / "candidates.csv", index=False)
            mined_by = {key: info[key] for key in ("id", "experiment", "profile", "weights")}
            write_json(folder / "mined_by.json", mined_by)
            write_page(
                folder / "index.html",
                table.assign(label=table["object_type"] + ", " + table["label"]),
                lambda image: read_image(build / "dataset" / crops[image]),
                project=cfg.project.name,
                labels=cfg.review.labels,
                summary=f"{cfg.baseline.experiment} scored {len(rows)} boxes it was trained on: "
                f"{counts['misses']:.0f} misses and {counts['uncertain']:.0f} unsure ones are shown, the most "
                "surprising first.",
            )
        for name, value in counts.items():
            run.metric(name, value)
        run.artifact(build / "candidates/candidates.csv")
        run.artifact(build / "candidates/index.html")
    print(f"{build}/candidates/index.html: {counts['candidates']:.0f} candidates of {len(rows)} boxes")
    return counts
