"""Photograph MLflow's comparison of a sweep's runs, as `make ui` shows it: docs/mlflow.png.

    python docs/take_mlflow_screenshot.py [SWEEP]     (needs Chromium; default: the sweep with most runs)

Run it in the repository's root, after a sweep on sample data and `assay registry sync`. Refuses runs of any data but the
sample, which alone may be published.
"""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from assay.registry import ui_command

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTH, HEIGHT = 1500, 1050
COLOURS = 200
CHARTS = (
    "^(train|val)/(accuracy|loss)$|coordinates"  # what a person looks at first; typed into the search field
)
SETTLED = 15_000  # ms: charts are drawn one by one
PATIENCE = 600_000  # ms: of a busy machine


def runs_of(database: Path, sweep: str | None) -> tuple[str, str]:
    """(sweep, experiment) of a sweep's jobs in the local store; exits where there are none, or of other data."""
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as store:
        rows = store.execute(
            "select s.value, r.experiment_id, d.value from runs r"
            " join tags s on s.run_uuid = r.run_uuid and s.key = 'sweep'"
            " join tags k on k.run_uuid = r.run_uuid and k.key = 'stage' and k.value = 'job'"
            " left join tags d on d.run_uuid = r.run_uuid and d.key = 'source'"
            " where r.lifecycle_stage = 'active' order by r.start_time"
        ).fetchall()
    names = [name for name, *_ in rows]
    chosen = sweep or max(names, key=names.count, default="")
    mine = [row for row in rows if row[0] == chosen]
    if not mine:
        sys.exit(
            f"{database}: no runs of the sweep {chosen or 'asked for'}; `make sweep EXP=resnet18` makes some"
        )
    if other := {str(source) for *_, source in mine} - {"sample"}:
        sys.exit(f"sweep {chosen}: its data is {', '.join(other)}; only pictures of the sample are published")
    return chosen, str(mine[0][1])


def photograph(address: str, browser: str, picture: Path) -> None:
    """Save what the page shows once its charts are drawn."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play, tempfile.TemporaryDirectory() as folder:
        chrome: Any = play.chromium.launch(
            executable_path=shutil.which(browser), args=["--no-sandbox"], timeout=PATIENCE
        )
        page = chrome.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(PATIENCE)
        page.goto(address, timeout=PATIENCE, wait_until="domcontentloaded")
        page.wait_for_selector(".js-plotly-plot")
        if (assistant := page.locator("[data-component-id='mlflow.assistant.chat_panel.close']")).count():
            assistant.first.click()
        page.locator("[data-component-id*=runnamecellrenderer]").first.click()  # a sweep's jobs lie below it
        page.get_by_placeholder("Search metric charts").fill(CHARTS)
        page.wait_for_timeout(SETTLED)
        shot = Path(folder) / "shot.png"
        page.screenshot(path=shot, timeout=PATIENCE)
        chrome.close()
        seen = Image.open(shot).convert("RGB")
        seen.quantize(COLOURS, dither=Image.Dither.NONE).save(picture, optimize=True)
    print(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")


def main(sweep: str | None) -> None:
    """Start MLflow's pages, photograph the comparison, stop them."""
    browser = next((name for name in BROWSERS if shutil.which(name)), None)
    if browser is None:
        sys.exit(f"none of {', '.join(BROWSERS)} is installed")
    database = Path("mlruns/mlflow.db")
    if not database.is_file():
        sys.exit(f"{database}: no such file; run `make sweep EXP=resnet18` first, in the repository's root")
    chosen, experiment = runs_of(database, sweep)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = int(one.getsockname()[1])
    server = subprocess.Popen(
        ui_command(port=port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(PATIENCE // 1000):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5)  # noqa: S310 - our own server
                break
            except OSError:
                time.sleep(1)
        wanted = quote(f"tags.sweep = '{chosen}'")
        view = f"/#/experiments/{experiment}/runs?compareRunsMode=CHART&searchFilter={wanted}"
        photograph(address + view, browser, Path(__file__).with_name("mlflow.png"))
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
