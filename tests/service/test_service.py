import base64
import threading

import pytest

from assay.data.pages import BadPage
from assay.documents.drawer import Drawers
from assay.documents.reading import Model
from assay.documents.sheets import Limits, sheets
from tests.documents import conftest as drawn
from tests.documents.conftest import MARKS, Told
from tests.service.conftest import Slow, waited_for

PDF = {"Content-Type": "application/pdf"}


def ask(client, content, path="/v1/documents", headers=None, **parameters):
    return client.post(path, content=content, params=parameters, headers=headers or PDF)


def refused(answer, status, words=""):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail"} and body["status"] == status
    assert words in body["detail"], body
    return True


def test_a_pdf_comes_back_as_pages_with_boxes_timings_and_the_models_version(serving):
    with serving() as client:
        answer = ask(client, drawn.pdf(drawn.text, drawn.scan)).json()
    assert [page["origin"] for page in answer["pages"]] == ["digital", "scanned"]
    assert [mark["label"] for mark in answer["pages"][0]["grouped"]] == ["signature", "stamp"]
    assert len(answer["pages"][0]["raw"]) == 3 and "picture" not in answer["pages"][0]
    assert answer["model"]["version"] == "0" * 12
    assert answer["milliseconds"] > 0 and answer["summary"]["signature_pages"] == [1, 2]


def test_parameters_and_drawn_pages(serving):
    with serving() as client:
        answer = ask(client, drawn.pdf(drawn.text), conf=0.7, pictures=True, codes="off").json()
        refused(ask(client, drawn.pdf(drawn.text), conf=7), 422, "conf: ")
        refused(ask(client, drawn.pdf(drawn.text), conf="nan"), 422, "conf: ")
    assert len(answer["pages"][0]["raw"]) == 1
    (sheet,) = sheets(base64.b64decode(answer["pages"][0]["picture"]), limits=Limits())
    assert sheet.picture.shape == (210, 149, 3)


def test_an_answer_has_room_for_so_much_of_drawn_pages(serving, monkeypatch):
    monkeypatch.setattr("assay.service.engine._jpeg", lambda _: "x" * 600_000)
    one = drawn.pdf(drawn.text)
    with serving(max_pictures_mb=1) as client:
        pages = ask(client, drawn.pdf(drawn.text, drawn.text), pictures=True).json()["pages"]
        files = [("f", ("a", one))] * 2
        both = client.post("/v1/batch", files=files, params={"pictures": True}).json()["documents"]
    assert [page["picture"] is None for page in pages] == [False, True] and pages[1]["grouped"]
    assert [part["pages"][0]["picture"] is None for part in both] == [False, True]


def test_forms_and_batches(serving):
    good, bad = drawn.pdf(drawn.text), drawn.locked()
    with serving(max_files=3) as client:
        one = client.post("/v1/documents", files={"any": ("../../etc/pass\x00wd", good)})
        assert one.status_code == 200
        both = client.post("/v1/batch", files=[("f", ("a", good)), ("f", ("a", bad))]).json()["documents"]
        assert "pages" in both[0] and both[1]["problem"]["status"] == 422
        refused(client.post("/v1/batch", files=[("f", ("a", good))] * 4), 413, "4 files; the limit is 3")
        refused(client.post("/v1/batch", files=[("f", ("a", good))] * 9), 413, "the limit is 3")
        refused(client.post("/v1/documents", files=[("f", ("a", good))] * 2), 413, "2 files; the limit is 1")
        refused(client.post("/v1/batch", files={"no": (None, "file")}), 422, "the form holds no file")
        refused(ask(client, b"--x", headers={"Content-Type": "multipart/form-data"}), 422, "form")


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"", 415, "empty file"),
        (b"MZ\x90\x00", 415, "not an image: send a PDF"),
        (drawn.locked(), 422, "encrypted"),
        (drawn.pdf(drawn.text)[:-300], 422, "truncated"),
        (b"%PDF-1.7\n%%EOF\n", 422, "damaged"),
        (drawn.pdf(*[drawn.nothing] * 4), 413, "4 pages; the limit is 3; /v1/jobs takes up to 1000"),
        (drawn.pdf(lambda canvas: canvas.setPageSize((14_000, 14_000))), 413, "too large: 7000x7000 px"),
        (b"x" * 1_000_001, 413, "more than 1 MB"),
    ],
)
def test_what_can_not_be_read_is_a_problem(serving, content, status, words):
    with serving(max_pages=3, max_upload_mb=1) as client:
        refused(ask(client, content), status, words)


def test_a_body_without_a_length_is_counted(serving):
    with serving(max_upload_mb=1) as client:
        refused(ask(client, (b"x" * 100_000 for _ in range(20))), 413, "more than 1 MB")


def test_routes_that_are_not_there_are_problems_too(serving):
    with serving() as client:
        refused(client.get("/v2"), 404)
        refused(client.get("/v1/documents"), 405)
        refused(client.get("/v1/jobs/unknown"), 404, "no such job")


def test_the_token(serving):
    with serving(token="s3cret") as client:
        refused(ask(client, b"x"), 401)
        refused(client.get("/model", headers={"Authorization": "Bearer other"}), 401)
        assert client.get("/model", headers={"Authorization": "Bearer s3cret"}).status_code == 200
        assert client.get("/health").status_code == 200


def test_the_token_is_described_and_its_scheme_may_be_in_any_case(serving):
    with serving(token="s3cret") as client:
        assert client.get("/model", headers={"Authorization": "bearer s3cret"}).status_code == 200
        refused(client.get("/model", headers={"Authorization": "Basic s3cret"}), 401)
        refused(client.get("/model", headers={"Authorization": "Bearer schlüssel".encode()}), 401)
        told = client.get("/openapi.json").json()
        (name,) = told["components"]["securitySchemes"]
        assert told["components"]["securitySchemes"][name]["scheme"] == "bearer"
        assert told["paths"]["/v1/documents"]["post"]["security"] == [{name: []}]
        assert "security" not in told["paths"]["/health"]["get"]
    with serving() as client:
        assert "securitySchemes" not in str(client.get("/openapi.json").json())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "127.0.0.1:8000"}, 200),
        ({"Host": "LOCALHOST"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Host": "marks.example.org"}, 200),  # the settings name it
        ({"Host": "evil.example:8000"}, 403),  # its name was pointed to this machine
        ({"Host": "[::1"}, 403),
        ({"Host": "localhost:8000", "Origin": "http://localhost:8000"}, 200),
        ({"Host": "localhost:8000", "Origin": "http://localhost:8502"}, 403),
        ({"Host": "localhost:8000", "Origin": "https://evil.example"}, 403),
        ({"Host": "localhost:8000", "Origin": "null"}, 403),
    ],
)
def test_foreign_names_and_pages_of_other_sites_are_refused(serving, headers, status):
    with serving(hosts=("marks.example.org",)) as client:
        answer = ask(client, drawn.pdf(drawn.text), headers={**PDF, **headers})
        assert answer.status_code == status or refused(answer, status)
        if status == 403:
            refused(answer, 403, "asked ")


def test_a_misspelt_parameter_is_no_default(serving):
    with serving() as client:
        for path in ("/v1/documents", "/v1/batch", "/v1/jobs"):
            refused(ask(client, b"x", path, cnf=0.9), 422, "cnf: no such parameter (did you mean 'conf'?)")
        refused(client.get("/health", params={"x": 1}), 422, "x: no such parameter")
        where = ask(client, drawn.pdf(drawn.text), "/v1/jobs").headers["location"]
        refused(client.get(f"{where}/result", params={"kep": True}), 422, "(did you mean 'keep'?)")


def test_the_document_comes_back_with_its_boxes(serving, monkeypatch):
    content, scan = drawn.pdf(drawn.text), drawn.with_code("x")
    with serving() as client:
        assert "pdf" not in ask(client, content).json()
        raw = pdf_words(ask(client, content, pdf=True, drawn="raw").json())
        grouped = pdf_words(ask(client, content, pdf=True).json())
        picture = pdf_words(ask(client, drawn.png(scan), pdf=True).json())
    assert raw.count("signature") == 2 and "signature 0.90 x2" not in raw
    assert grouped.count("signature") == 1 and "signature 0.90 x2" in grouped
    assert "signed by both parties" in grouped and "signature 0.90 x2" in picture
    monkeypatch.setattr("assay.service.engine._jpeg", lambda _: "x" * 999_999)
    with serving(max_pictures_mb=1) as client:
        full = ask(client, content, pdf=True, pictures=True).json()
    assert full["pages"][0]["picture"] and full["pdf"] is None

    def died(*_, **__):
        raise BadPage("damaged: it can't be drawn")

    monkeypatch.setattr(Drawers, "pdf", died)
    with serving() as client:
        answer = ask(client, content, pdf=True).json()
    assert answer["pages"][0]["grouped"] and answer["pdf"] is None


def pdf_words(answer):
    import pypdfium2

    document = pypdfium2.PdfDocument(base64.b64decode(answer["pdf"]))
    try:
        return document[0].get_textpage().get_text_range()
    finally:
        document.close()


def test_too_many_at_once_and_too_late(serving):
    slow = Slow(*MARKS)
    with serving(Model(slow, {"sha256": "0" * 64}), concurrency=1, queue=0, seconds=3) as client:
        slow.gate.set()
        # until the process that draws is there: on a busy machine its start alone may be late
        assert waited_for(lambda: ask(client, drawn.pdf(drawn.text)).status_code == 200)
        assert waited_for(lambda: client.get("/health").json()["documents"] == 0)
        slow.gate.clear()
        slow.here = threading.Semaphore(0)
        answers = []
        asking = threading.Thread(target=lambda: answers.append(ask(client, drawn.pdf(drawn.text))))
        asking.start()
        assert slow.here.acquire(timeout=20)
        busy = ask(client, drawn.pdf(drawn.text))
        refused(busy, 429, "too many documents")
        assert busy.headers["retry-after"]
        asking.join(20)
        refused(answers[0], 503, "not done within 3 s")
        refused(ask(client, drawn.pdf(drawn.text)), 429)  # its reader still holds the place
        slow.gate.set()
        assert waited_for(lambda: client.get("/health").json()["documents"] == 0)
        assert ask(client, drawn.pdf(drawn.text)).status_code == 200


def test_a_job_tells_its_progress_and_is_forgotten_once_fetched(serving):
    slow = Slow(*MARKS)
    with serving(Model(slow, {"sha256": "0" * 64}), max_pages=1, jobs=1) as client:
        begun = ask(client, drawn.pdf(*[drawn.text] * 3), "/v1/jobs")
        assert begun.status_code == 202
        where = begun.headers["location"]
        assert slow.here.acquire(timeout=20)
        told = client.get(where).json()
        assert (told["status"], told["pages"], told["pages_done"]) == ("running", 3, 0)
        refused(client.get(f"{where}/result"), 409, "0 of 3 pages")
        refused(ask(client, drawn.pdf(drawn.text), "/v1/jobs"), 429, "too many jobs")
        slow.gate.set()
        assert waited_for(lambda: client.get(where).json()["status"] == "done")
        assert client.get(where).json()["pages_done"] == 3
        assert len(client.get(f"{where}/result", params={"keep": True}).json()["pages"]) == 3
        assert client.get(f"{where}/result").json()["summary"]["pages"] == 3
        refused(client.get(f"{where}/result"), 404)


def test_jobs_that_fail_are_deleted_or_forgotten(serving):
    with serving(max_job_pages=2) as client:
        for content, status, words in (
            (b"hello", 415, "not an image"),
            (drawn.pdf(*[drawn.text] * 3), 413, "3 pages; the limit is 2"),
            (drawn.locked(), 422, "encrypted"),
        ):
            where = ask(client, content, "/v1/jobs").headers["location"]
            assert waited_for(lambda where=where: client.get(where).json()["status"] == "failed")
            assert client.get(where).json()["problem"]["status"] == status
            refused(client.get(f"{where}/result"), status, words)
        where = ask(client, drawn.pdf(drawn.text), "/v1/jobs").headers["location"]
        assert client.delete(where).status_code == 204
        refused(client.delete(where), 404)
    with serving(keep_seconds=1) as client:
        where = ask(client, drawn.pdf(drawn.text), "/v1/jobs").headers["location"]
        assert waited_for(lambda: client.get(where).status_code == 404)


def test_what_nobody_foresaw_is_in_the_log_and_not_in_the_answer(serving, caplog):
    class Broken(Told):
        def predict(self, images, **rest):
            if len(images[0]) == 64:  # the service warms its model up with such a page
                return super().predict(images, **rest)
            raise RuntimeError("/home/me/secret.onnx is broken")

    with serving(Model(Broken(*MARKS), {"sha256": "0" * 64})) as client:
        for path in ("/v1/documents", "/v1/batch"):
            content = {"files": {"f": ("a", drawn.pdf(drawn.text))}}
            refused(client.post(path, **content), 500, "something went wrong here; the log says what")
        where = ask(client, drawn.pdf(drawn.text), "/v1/jobs").headers["location"]
        assert waited_for(lambda: client.get(where).json()["status"] == "failed")
        refused(client.get(f"{where}/result"), 500, "something went wrong here; the log says what")
    assert "secret.onnx" in caplog.text  # of the job: the others' traceback is the server's to log


def test_the_description_needs_no_other_host(serving):
    with serving() as client:
        page = client.get("/docs").text
        assert "POST /v1/documents" in page and "0 to 1, else 0.15" in page
        assert "http" not in page.replace("https://example", "")
        assert "multipart/form-data" in str(client.get("/openapi.json").json()["paths"]["/v1/batch"]["post"])
