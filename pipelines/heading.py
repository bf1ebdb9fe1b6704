"""What the page of every evaluated model says at its top, whatever the task."""

from collections.abc import Mapping, Sequence
from typing import Any


def heading(
    cfg: Any,
    info: Mapping[str, Any],
    data: Mapping[str, Any],
    *,
    doubts: Sequence[str],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """The arguments that `write_report` of every task takes alike.

    info: model.json of the model. data: SOURCE.yaml of what it was evaluated on. doubts: why its numbers do not stand
    beside the published ones. facts: rows of the table at the top, put between the experiment and what the profile
    scaled.
    """
    from assay.environment import describe

    cpu = describe()["cpu"]
    warnings = [f"Training failed: the model {info['collapsed']}."] if info.get("collapsed") else []
    if cfg.experiment.published and doubts and data["source"] == "original":
        warnings.append(f"Not comparable with the published numbers: {', '.join(doubts)}.")
    scaled = {f"scaled: {key}": f"{old} → {new}" for key, (old, new) in cfg.profile.scaled.items()}
    return {
        "title": f"{cfg.project.title}: {cfg.experiment.title}",
        "data": data,
        "weights": info["weights"],
        "profile": cfg.profile.name,
        "seed": cfg.seed,
        "hardware": f"{cpu['model']}, {cpu['cores']} cores",
        "facts": {"experiment": cfg.experiment.id, **facts, **scaled},
        "warnings": warnings,
    }
