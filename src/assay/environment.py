"""What a run ran on: code, packages and hardware, so that two numbers can be told apart later.

Nothing here names a person or a machine: no user, no host, no absolute path. A record may be published.
"""

import os
import platform
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from assay.files import sha256_file

PACKAGES = (
    "dvc",
    "hydra-core",
    "mlflow",
    "torch",
    "torchvision",
    "timm",
    "ultralytics",
    "transformers",
    "numpy",
    "pandas",
    "pillow",
    "opencv-python",
    "scikit-learn",
    "onnx",
    "onnxruntime",
    "openvino",
)

# What the pipeline itself rewrites while it runs; a change there is a result, not an edit of the code.
_WRITTEN_BY_STAGES = ("dvc.lock", "data.dvc", "resolved", "results", "sweeps/dvc.lock")
_LONGEST_DIFF = 1_000_000  # characters; a longer one is a data file added by mistake


def describe() -> dict[str, Any]:
    """Describe code, packages and hardware of this process as JSON values.

    Returns `git` {revision, dirty, untracked}, `lock` (SHA-256 of requirements.lock), `python`, `packages`,
    `os`, `cpu` {model, cores usable by this process, amx, avx512}, `memory_gb` and `gpu`. What cannot be
    found out is None: a missing git or /proc is no reason to lose a run.
    """
    lock = Path("requirements.lock")
    return {
        "git": {
            "revision": _git("rev-parse", "HEAD"),
            "dirty": bool(uncommitted_diff()),
            "untracked": _untracked(),
        },
        "lock": sha256_file(lock) if lock.is_file() else None,
        "python": platform.python_version(),
        "packages": _package_versions(),
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _cpu(),
        "memory_gb": _memory_gb(),
        "gpu": gpu_name(),
    }


def uncommitted_diff() -> str:
    """Changes of tracked files since the last commit, less the files that stages write; "" without git."""
    return (_git("diff", "--no-ext-diff", "--no-color", "HEAD", *_pathspec()) or "")[:_LONGEST_DIFF]


def gpu_name() -> str | None:
    """Name of the first GPU, if this process has loaded torch: loading it takes seconds, too long to ask."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "cuda") or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name(0))


def _git(*arguments: str) -> str | None:
    """Output of a git command, or None where git, the repository or a first commit is missing."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            capture_output=True,
            check=True,
            timeout=30,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},  # never in the way of the user's own git command
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").rstrip("\n")


def _pathspec() -> list[str]:
    return ["--", ":/", *(f":(top,exclude){path}" for path in _WRITTEN_BY_STAGES)]


def _untracked() -> list[str]:
    names = _git("ls-files", "--others", "--exclude-standard", *_pathspec())
    return names.splitlines()[:100] if names else []


@cache
def _package_versions() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


@cache
def _cpu() -> dict[str, Any]:
    fields = _proc_cpuinfo()
    flags = set(fields.get("flags", "").split())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "model": fields.get("model name") or platform.processor() or platform.machine(),
        "cores": cores,
        "amx": "amx_tile" in flags,
        "avx512": "avx512f" in flags,
    }


def _proc_cpuinfo() -> dict[str, str]:
    """The first processor's fields of Linux's /proc/cpuinfo; empty elsewhere."""
    try:
        first = Path("/proc/cpuinfo").read_text("utf-8", "replace").split("\n\n", 1)[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    except (AttributeError, ValueError, OSError):  # no sysconf on Windows
        return None
