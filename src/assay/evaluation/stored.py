"""What reading stored predictions has in common, those of images and those of boxes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.errors import UserError


@contextmanager
def reading(path: Path, *beside: Path) -> Iterator[None]:
    """Say in one line that a file is missing, or that the block cannot make predictions of `path` and those beside it.

    Raises:
        UserError: the same.
    """
    for needed in (path, *beside):
        if not needed.is_file():
            raise UserError(f"{needed}: not found; run the evaluate stage to write it")
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{path}: cannot be read as predictions ({error}); run the evaluate stage again"
        ) from error
