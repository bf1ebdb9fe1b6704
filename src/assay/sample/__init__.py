"""Generated data in the originals' layout, the embedded default: one lock file, the same bytes."""

from collections.abc import Callable
from pathlib import Path

from assay.errors import UserError


def make_sample(project: str, data_root: Path) -> Path:
    """Write the sample of `project` to `data_root/<project>` and return that folder.

    Raises:
        UserError: there is no sample for this project.
    """
    makers = _makers()
    if project not in makers:
        raise UserError(
            f"project {project!r} has no sample data; there is one for: {', '.join(sorted(makers))}"
        )
    folder = data_root / project
    makers[project](folder)
    return folder


def _makers() -> dict[str, Callable[[Path], None]]:
    from assay.sample import cherry

    return {"cherry": cherry.make}
