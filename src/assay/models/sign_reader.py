"""Texts in a picture, by RapidOCR: PP-OCRv4's small networks, whose weights lie in its wheel. Nothing is downloaded."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from assay.errors import UserError

_MODELS = {
    "Det": "ch_PP-OCRv4_det_mobile.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "ch_PP-OCRv4_rec_mobile.onnx",
}
_SIDE = 320  # px, the shorter side that text is looked for at; smaller pictures are enlarged to it


@dataclass(frozen=True)
class Line:
    """One line of text."""

    text: str
    confidence: float  # 0-1, the recogniser's
    xyxy: tuple[float, float, float, float]  # px, the box around it


class SignReader:
    """Finds lines of text and reads them."""

    def __init__(self, *, confidence: float, threads: int = 1) -> None:
        """Load the networks of the installed wheel.

        Args:
            confidence: lines read with less are left out, 0-1.
            threads: of the processor.

        Raises:
            UserError: rapidocr is not installed, or its wheel came without weights.
        """
        spec = find_spec("rapidocr")
        if spec is None or spec.origin is None:
            raise UserError("signs: the package rapidocr, which reads them, is not installed; run `make env`")
        folder = Path(spec.origin).parent / "models"
        paths = {part: folder / name for part, name in _MODELS.items()}
        if missing := [path for path in paths.values() if not path.is_file()]:
            raise UserError(
                f"signs: {missing[0]} is missing: this rapidocr came without weights; install the version of "
                "requirements.lock, whose wheel has them"
            )
        from rapidocr import RapidOCR

        self._confidence = confidence
        self._engine = RapidOCR(
            params={
                **{
                    f"{part}.model_path": str(path) for part, path in paths.items()
                },  # named: it looks nowhere else
                "Global.log_level": "critical",
                "Global.text_score": 0.0,  # the threshold is ours
                "Global.min_height": 8,
                "Det.limit_side_len": _SIDE,
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def read(self, rgb: np.ndarray) -> list[Line]:
        """The lines of text in uint8 (H, W, 3) RGB, from top to bottom."""
        found = self._engine(np.ascontiguousarray(rgb[:, :, ::-1]))
        if found.boxes is None or not found.txts:
            return []
        lines = []
        for box, text, score in zip(found.boxes, found.txts, found.scores, strict=True):
            if score >= self._confidence and text.strip():
                (left, top), (right, low) = np.min(box, axis=0).tolist(), np.max(box, axis=0).tolist()
                lines.append(Line(text.strip(), float(score), (left, top, right, low)))
        return sorted(lines, key=lambda line: (line.xyxy[1] + line.xyxy[3], line.xyxy[0]))
