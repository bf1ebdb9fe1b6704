"""What a version is chosen for: document 000's "Model Selection Guide" as aliases of a registered model."""

GUIDE = {
    "production": "production deployment: proven better than what was deployed before",
    "candidate": "the newest export, not promoted yet",
    "baseline": "baseline comparison: what improvements are measured against",
    "mining": "hard-negative mining: makes the mistakes worth learning from",
    "fastest": "maximum speed where lower accuracy is acceptable",
    "finetune": "starting point of training and fine-tuning",
}


def variant_name(architecture: str, experiment: str, resolution: int, *, published: str = "") -> str:
    """Document 000's name of a model, `{architecture}_{variant}_{resolution}` (line 253), from an experiment's id.

    An id usually says the architecture, and sometimes the resolution, which the name says anyway: "yolo12s_reviewed" is
    the variant "reviewed", and "yolo12s_hardneg_1280" at 1280 px keeps its name.
    published: the architecture that the experiment asked for where a profile took a smaller one.
    """
    plain = [_plain(name) for name in (architecture, published)]
    variant = experiment.removesuffix(f"_{resolution}")
    for name in filter(None, plain):
        variant = "plain" if variant == name else variant.removeprefix(f"{name}_")
    return f"{plain[0]}_{variant}_{resolution}"


def _plain(architecture: str) -> str:
    """Without who published it and which weights: "resnet18.a1_in1k" -> "resnet18"."""
    return architecture.rpartition("/")[2].partition(".")[0]
