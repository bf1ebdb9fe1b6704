"""compose.yaml: what of it can be held to the rest without Docker."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "compose.yaml").read_text("utf-8")
SERVICES = yaml.safe_load(TEXT)["services"]


def test_nothing_listens_beyond_this_machine():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 2 and all(port.startswith("127.0.0.1:") for port in ports)


def test_no_password_is_written_down():
    secrets = re.findall(r"\$\{(ASSAY_\w+)(:\?[^}]+)?\}", TEXT)
    named = {name for name, _ in secrets}
    assert named == {"ASSAY_DB_PASSWORD", "ASSAY_S3_KEY", "ASSAY_S3_SECRET"}
    assert {name for name, refusal in secrets if refusal} == named  # each stops `up` where it is missing


def test_every_image_has_a_version():
    images = [service["image"] for service in SERVICES.values() if "image" in service]
    assert len(images) == 3 and all(re.search(r":\d[\d.]*$", image) for image in images)


def test_the_server_has_the_locks_versions():
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    built = SERVICES["mlflow"]["build"]["dockerfile_inline"]
    for package in ("mlflow", "psycopg2-binary"):
        version = re.search(rf"^{package}==(\S+)", lock, re.M)
        assert version and f"{package}=={version[1]}" in built
