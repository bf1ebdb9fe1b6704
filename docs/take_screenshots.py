"""Photograph the pages of the last `make repro`: docs/report.png and docs/candidates.png.

python docs/take_screenshots.py       (needs Chromium; refuses any data but the sample, which alone may be published)
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from PIL import Image

BUILD = Path("build/cherry")
# (page, picture, height in px: what a reader should see of it at a width of 1000 px)
PAGES = [("evaluation/report.html", "report.png", 1325), ("candidates/index.html", "candidates.png", 722)]
COLOURS = 160  # of the palette: a third of the bytes, no difference to the eye
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def photograph(browser: str, page: Path, picture: Path, height: int) -> None:
    """Save the top of a page, `height` px, as a PNG with a palette."""
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        switches = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars")
        command = [browser, *switches, "--disable-background-networking", f"--user-data-dir={folder}/profile"]
        command += [f"--window-size=1000,{height}", f"--screenshot={shot}", page.resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        Image.open(shot).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
            picture, optimize=True
        )
    print(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")


def main() -> str | None:
    """Take all pictures; returns what is missing."""
    source = BUILD / "dataset/SOURCE.yaml"
    if not source.is_file():
        return f"{source}: no such file; run `make repro` first"
    if (kind := yaml.safe_load(source.read_text("utf-8"))["source"]) != "sample":
        return f"{source}: the data is {kind!r}; only pictures of the sample are published"
    browser = next((name for name in BROWSERS if shutil.which(name)), None)
    if browser is None:
        return f"none of {', '.join(BROWSERS)} is installed"
    for page, picture, height in PAGES:
        photograph(browser, BUILD / page, Path(__file__).with_name(picture), height)
    return None


if __name__ == "__main__":
    sys.exit(main())
