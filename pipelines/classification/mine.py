"""Rank what is worth a person's look: the baseline's misses and what it is unsure of.

Scores training and pool images, never validation images. Writes build/<project>/candidates: the table and a page of
thumbnails (index.html) that opens by double click.
"""

from pathlib import Path

from assay.config import ClassificationConfig


def main(cfg: ClassificationConfig) -> dict[str, float]:
    """Score, rank and write the candidates; returns how many there are and why."""
    from assay.data.classification import read_manifest, source_of
    from assay.data.images import load_images, read_image
    from assay.files import fresh_folder, write_json
    from assay.mining.page import write_page
    from assay.mining.uncertainty import rank_candidates
    from assay.models.classifier import load_classifier, predict
    from pipelines.recording import stage_run

    build, data = Path(cfg.build), Path(cfg.data)
    with stage_run(
        cfg, "mine", sections=("project", "data", "mine"), tags={"experiment": cfg.baseline.experiment}
    ) as run:
        manifest = read_manifest(build / "dataset")
        run.data(source_of(build / "dataset"))
        held_out = manifest["split"] == "val"
        # reviewed, they would leak into validation
        near = manifest["group"].isin(manifest.loc[held_out, "group"])
        images = manifest[~held_out & ~near].reset_index(drop=True)
        module, info = load_classifier(build / "baseline")
        pixels = load_images(data, images["image"].tolist(), info["image_size"], progress="reading images")
        table = rank_candidates(
            images,
            predict(module, pixels, input_mode=info["input_mode"]),
            info["classes"],
            uncertain_below=cfg.mine.uncertain_below,
            max_candidates=cfg.mine.max_candidates,
        )
        counts = {
            "scored": float(len(images)),
            "candidates": float(len(table)),
            "misses": float((table["reason"] == "miss").sum()),
            "uncertain": float((table["reason"] == "uncertain").sum()),
        }
        with fresh_folder(build / "candidates") as folder:
            table.to_parquet(folder / "candidates.parquet", index=False)
            table.to_csv(folder / "candidates.csv", index=False)
            write_json(
                folder / "mined_by.json",
                {key: info[key] for key in ("id", "experiment", "profile", "weights")},
            )
            write_page(
                folder / "index.html",
                table,
                lambda image: read_image(data / image),
                project=cfg.project.name,
                labels=cfg.review.labels,
                summary=f"{cfg.baseline.experiment} scored {len(images)} images: {counts['misses']:.0f} misses and "
                f"{counts['uncertain']:.0f} unsure ones are shown, the most surprising first.",
            )
        for name, value in counts.items():
            run.metric(name, value)
        run.artifact(build / "candidates/candidates.csv")
        run.artifact(build / "candidates/index.html")
    print(f"{build}/candidates/index.html: {counts['candidates']:.0f} candidates of {len(images)} images")
    return counts
