"""Own data with folders of other names than the published ones."""

import pandas as pd
import pytest

from assay.config import compose
from assay.errors import UserError
from pipelines.detection.fitting import _rows


def test_a_training_folder_that_is_not_there_is_one_line(tmp_path):
    (tmp_path / "dataset").mkdir()
    rows = [
        (f"{subset}{split}", split, subset) for subset in ("north", "south") for split in ("train", "val")
    ]
    pd.DataFrame(rows, columns=["image", "split", "subset"]).to_parquet(tmp_path / "dataset/manifest.parquet")
    chosen = ["project=infrastructure", "experiment=yolo11s_best", "profile=full", f"build={tmp_path}"]
    with pytest.raises(UserError, match=r"train.subset = 'old' .* folders north, south; name one of them"):
        _rows(compose([*chosen, "train.subset=old"]))
    assert _rows(compose([*chosen, "train.subset=north"]))["image"].tolist() == [
        "northtrain",
        "northval",
        "southval",
    ]
