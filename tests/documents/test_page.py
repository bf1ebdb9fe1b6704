"""The page of documents in a real browser, against a running service over a stand-in for a detector."""

import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from contextlib import contextmanager

import numpy as np
import pytest
import uvicorn

from assay.documents.client import about_model, ask
from assay.documents.command import page
from assay.documents.sheets import page_count
from assay.errors import UserError
from assay.pages import command
from assay.service.app import make_app
from assay.service.settings import Settings
from tests.documents.conftest import pdf, png, text
from tests.service.conftest import models_of

SWITCHES = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update"),
    *("--disable-background-networking", "--disable-sync"),
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def service(folder, **settings):
    port = free_port()
    app = make_app(Settings(dpi=72, **settings), models_of(folder))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


def test_a_client_gets_answers_and_one_line_for_what_is_wrong(tmp_path, monkeypatch):
    with service(tmp_path, token="secret") as url:
        assert about_model(url, token="secret")["version"]
        answer = ask(url, pdf(text), token="secret", pictures=True, drawn="raw", conf=0.15)
        (read,) = answer["pages"]
        assert len(read["raw"]) == 3 and len(read["grouped"]) == 2 and read["picture"]
        other = ask(url, pdf(text), token="secret", pictures=True, drawn="grouped", conf=0.15)
        assert other["pages"][0]["picture"] != read["picture"]
        with pytest.raises(UserError, match="Authorization: Bearer"):
            ask(url, pdf(text))
        with pytest.raises(UserError, match="send a PDF"):
            ask(url, b"nonsense", token="secret")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # where nobody listens
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.setattr(urllib.request, "_opener", None)  # it remembers what was set
        assert about_model(f"{url}/", token="secret")["version"]
        assert ask(f"{url}/", pdf(text), token="secret", pdf=True)["pdf"]
    with pytest.raises(UserError, match="start one: assay serve documents"):
        page(service=url)
    with pytest.raises(UserError, match="expected an address"):
        ask("file:///etc", b"")


@pytest.mark.slow
def test_a_document_dropped_on_the_page(tmp_path):
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    from playwright.sync_api import expect, sync_playwright

    import assay.documents

    (tmp_path / "contract.pdf").write_bytes(pdf(text, text))
    (tmp_path / "scan.png").write_bytes(png(np.full((420, 298, 3), 255, np.uint8)))
    script = next(iter(assay.documents.__path__)) + "/page.py"
    with service(tmp_path) as url, sync_playwright() as play:
        port = free_port()
        with subprocess.Popen(command(script, url, port=port), stdout=subprocess.DEVNULL) as server:
            try:
                wait_for(f"http://127.0.0.1:{port}/_stcore/health")
                browser = play.chromium.launch(executable_path=chromium, args=SWITCHES)
                shown = browser.new_page(viewport={"width": 1200, "height": 1600}, accept_downloads=True)
                shown.goto(f"http://127.0.0.1:{port}")
                shown.set_default_timeout(60_000)
                shown.locator("input[type=file]").set_input_files(tmp_path / "contract.pdf")
                expect(shown.get_by_text("page 2", exact=False).first).to_be_visible(timeout=60_000)
                assert shown.locator("[data-testid=stImage] img").count() == 2
                assert metrics(shown) == {"pages": "2", "signature": "2", "stamp": "2"}
                shown.get_by_text("raw", exact=True).click()
                expect(metric(shown, "signature")).to_have_text("4", timeout=60_000)
                with shown.expect_download() as download:
                    shown.get_by_text("Download JSON").click()
                told = json.loads(download.value.path().read_text("utf-8"))
                assert len(told["pages"]) == 2 and "picture" not in told["pages"][0] and "pdf" not in told
                with shown.expect_download() as download:
                    shown.get_by_text("Download PDF").click()
                words = words_of(download.value.path())
                assert words.count("signature") == 2 and " x2" not in words  # raw, as on the page
                shown.locator("input[type=file]").set_input_files(tmp_path / "scan.png")
                expect(metric(shown, "pages")).to_have_text("1", timeout=60_000)
                with shown.expect_download() as download:  # a picture becomes a PDF of one page
                    shown.get_by_text("Download PDF").click()
                assert page_count(download.value.path().read_bytes()) == 1
                assert download.value.suggested_filename == "scan_annotated.pdf"
                shown.screenshot(path=tmp_path / "page.png")
                browser.close()
            finally:
                server.terminate()


def words_of(path):
    import pypdfium2

    with pypdfium2.PdfDocument(path) as document:
        return document[0].get_textpage().get_text_range()


def wait_for(url, seconds=60):
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            assert time.monotonic() < end, f"{url}: no answer"
            time.sleep(0.2)


def metric(shown, label):
    one = shown.locator("[data-testid=stMetric]").filter(has=shown.get_by_text(label, exact=True))
    return one.locator("[data-testid=stMetricValue]")


def metrics(shown):
    return {name: metric(shown, name).inner_text() for name in ("pages", "signature", "stamp")}
