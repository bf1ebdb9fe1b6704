import io
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from assay.errors import UserError
from assay.export.predictor import Predictor

PYFUNC = Path(__file__).parents[2] / "src" / "assay" / "export" / "pyfunc.py"


@pytest.fixture(scope="module")
def loaded(exported, tmp_path_factory):
    """The model as a user gets it: saved as models-from-code and loaded again."""
    import mlflow.pyfunc

    path = tmp_path_factory.mktemp("mlflow") / "model"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.pyfunc.save_model(
            path,
            python_model=str(PYFUNC),
            artifacts={"export": str(exported.folder)},
            pip_requirements=["numpy"],
        )
        return mlflow.pyfunc.load_model(str(path))


def test_every_kind_of_input_gives_the_predictors_answer(exported, loaded, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (2, 30, 20, 3), dtype=np.uint8)
    paths = [str(tmp_path / f"{index}.png") for index in range(2)]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path)
    encoded = io.BytesIO()
    Image.fromarray(pixels[1]).save(encoded, "PNG")
    expected = Predictor.load(exported.folder).predict(list(pixels))

    for model_input in (
        pixels,
        paths,
        pd.DataFrame({"image": paths}),
        pd.DataFrame({"image": [Path(paths[0]).read_bytes(), encoded.getvalue()]}),
        pd.DataFrame({"image": [image.tolist() for image in pixels]}),
    ):
        answer = loaded.predict(model_input)
        assert answer.columns.tolist() == ["clean", "pit", "predicted"]
        np.testing.assert_allclose(answer[["clean", "pit"]].to_numpy(), expected, atol=1e-6)
        assert answer["predicted"].tolist() == [["clean", "pit"][i] for i in expected.argmax(axis=1)]


def test_what_is_no_image_is_refused(loaded):
    with pytest.raises(UserError, match="column 'image' missing; found picture"):
        loaded.predict(pd.DataFrame({"picture": ["a.png"]}))
    with pytest.raises(UserError, match="image bytes: "):
        loaded.predict(pd.DataFrame({"image": [b"not an image"]}))
    with pytest.raises(ValueError, match="expected uint8"):  # 0-1 floats would pass for a black image
        loaded.predict(pd.DataFrame({"image": [[[[0.5, 0.5, 0.5]]]]}))
