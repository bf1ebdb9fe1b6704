"""Generated data in the originals' layout, the embedded default: one lock file, the same bytes."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from assay.errors import UserError

_PROJECTS = ("cherry", "documents", "infrastructure", "workzone")


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
    import_module(f"assay.sample.{project}").make(folder)
    return folder


def _makers() -> list[str]:
    """Projects whose generator is here: assay.sample.<project> with a function make(folder)."""
    return [name for name in _PROJECTS if find_spec(f"assay.sample.{name}") is not None]
