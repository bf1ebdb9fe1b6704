"""Starts a page of the web app: a Streamlit script, for this machine only."""

import os
import sys
from pathlib import Path
from typing import NoReturn

OPTIONS = {
    "server.address": "127.0.0.1",
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
}


def command(script: Path, *arguments: str, port: int) -> list[str]:
    """The program and its arguments that serve `script` on 127.0.0.1:`port`; the script finds `arguments` in sys.argv."""
    options = [f"--{name}={value}" for name, value in (OPTIONS | {"server.port": str(port)}).items()]
    return [sys.executable, "-m", "streamlit", "run", str(script), *options, "--", *arguments]


def open_page(script: Path, *arguments: str, port: int) -> NoReturn:
    """Become the server of that page; Ctrl-C ends it."""
    print(f"http://127.0.0.1:{port} (takes some seconds; stop it with Ctrl-C)", flush=True)
    os.execv(sys.executable, command(script, *arguments, port=port))  # noqa: S606
