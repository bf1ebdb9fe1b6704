"""pipelines/export.py for vision-language models: there is nothing to write for the runtimes that serve."""

from typing import Any

from assay.config.condition import VisionLanguageConfig
from assay.errors import UserError


def main(cfg: VisionLanguageConfig) -> dict[str, Any]:
    """Refuse, in one line."""
    raise UserError(
        f"experiment={cfg.experiment.id}: {cfg.model.backbone} is not exported: a network of billions of numbers is none "
        f"for a CPU's runtime; its adapters are {cfg.build}/model/adapter_model.safetensors, which peft reads"
    )
