"""What tells a work zone's sign from its text: phrases, which learn nothing, or letters, which learn from signs."""

from pathlib import Path
from typing import Any

from assay.config.timeline import OcrConfig
from assay.tracking import Run


def train_into(cfg: OcrConfig, out: Path, *, work: Path, run: Run) -> dict[str, Any]:
    """Read the training signs, learn, and write text.json and model.json to `out`; returns model.json.

    work: as every task's training has it; nothing is left there.

    Raises:
        UserError: there are no signs, or of one kind none could be read.
    """
    from assay.data.signs import WORK_ZONE, read_signs
    from assay.data.source import read_source
    from assay.errors import UserError
    from assay.files import fresh_folder, read_json, sha256_file, write_json
    from assay.models.sign_text import learn_letters
    from pipelines.ocr.readings import readings

    signs = read_signs(Path(cfg.data))
    run.data(read_source(Path(cfg.data)))
    train = signs[signs["split"] == "train"]
    if cfg.train.max_signs and len(train) > cfg.train.max_signs:
        train = train.sample(cfg.train.max_signs, random_state=cfg.seed).sort_index()
    learnt: dict[str, Any] = cfg.model.model_dump(mode="json", include={"phrases", "likeness"})
    if cfg.model.classifier == "letters":
        texts = readings(cfg, train)
        try:
            learnt = learn_letters(
                [texts[image] for image in train["image"]], (train["label"] == WORK_ZONE).tolist()
            )
        except ValueError as error:
            raise UserError(f"{cfg.data}/signs: {error}; more training signs are needed") from error
    info = {
        "classifier": cfg.model.classifier,
        "weights": {"origin": "package", "detail": "PP-OCRv4 mobile, of rapidocr's wheel"},
        "experiment": cfg.experiment.id,
        "profile": cfg.profile.name,
        "seed": cfg.seed,
        "trained_on": len(train) if cfg.model.classifier == "letters" else 0,
        "collapsed": None,
    }
    run.tag("weights", "package")
    with fresh_folder(out) as folder:
        write_json(folder / "text.json", learnt)
        write_json(folder / "model.json", info | {"id": sha256_file(folder / "text.json")[:32]})
        (folder / "history.csv").touch()  # nothing learns in epochs
    run.artifact(out / "model.json")
    run.artifact(out / "text.json")
    found: dict[str, Any] = read_json(out / "model.json")
    return found
