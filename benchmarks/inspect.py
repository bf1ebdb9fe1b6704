"""How long both stages take for one photo, from its pixels to conditions: torch and every runtime of the same networks.

    python -m benchmarks.inspect [--size 640] [--photos 4] [--rounds 5] [--calls 10]

Takes the detector of build/infrastructure and the condition classifier of build/conditions (`make repro`), the
detector at --size px whatever it was trained at, and photos of the prepared data that both sides see as pixels of a
--size square. A call is `Inspector.inspect`: fitting, the detector, boxes, places, crops, the classifier. Reading a file,
drawing and writing are not in it. Its time depends on how many objects are found, so photos take turns.

Every runtime is a process of its own with every core, warm, and asked in turn, round after round. All of them answer
by the same code around the network, and their boxes and conditions are compared with torch's.

Writes results/benchmarks/inspect-<cpu>-<n>core.csv.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import IO, Any, cast

import numpy as np

from assay.environment import describe
from assay.errors import UserError
from assay.export.runtimes import FILES, Opened, Runtime, open_model
from assay.files import read_json
from assay.inspection.stages import Inspector
from benchmarks.hardware import MADE_ON, made_on, table_path, write_table

RUNTIMES = ("torch", "onnx", "openvino_fp32", "openvino_bf16")
STAGES = ("detector", "conditions")
DETECTOR, CONDITIONS = Path("build/infrastructure"), Path("build/conditions")
COLUMNS = (
    *("runtime", "size", "photos", "objects", "calls", "p50_ms", "p95_ms", "ratio_to_torch", "ratio_low"),
    *("ratio_high", "same_conditions", "detector", "conditions", *MADE_ON),
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and store; returns 2 for a mistake."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.inspect",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--size", type=int, default=640, help="of photo and network, px (default: 640)")
    parser.add_argument("--photos", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=10, help="of each photo in a round, by each runtime")
    parser.add_argument("--runtime", choices=RUNTIMES, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.runtime:
        serve(chosen.runtime, chosen.work, chosen.calls)
        return 0
    try:
        with tempfile.TemporaryDirectory(prefix="assay-benchmark-") as folder:
            about = prepare(Path(folder), chosen.size, chosen.photos)
            answers = alternate(Path(folder), chosen.rounds, chosen.calls)
    except UserError as error:
        print(f"benchmarks.inspect: {error}", file=sys.stderr)
        return 2
    machine = describe()
    rows = [
        about | row | made_on(machine, ("torch", "onnxruntime", "openvino", "ultralytics", "timm"))
        for row in rows_of(answers)
    ]
    target = table_path("inspect", machine)
    write_table(target, rows, COLUMNS)
    for row in rows:
        print(
            f"{row['runtime']}: p50 {row['p50_ms']} ms, p95 {row['p95_ms']} ms, {row['ratio_to_torch']}x torch"
        )
    print(target)
    return 0


def rows_of(answers: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """A row per runtime. answers: by runtime, a round each: {"ms": of every call, "found": objects of every photo}."""
    rows = []
    for name, rounds in answers.items():
        times = np.concatenate([one["ms"] for one in rounds])
        pairs = [
            float(np.median(theirs["ms"]) / np.median(ours["ms"]))
            for theirs, ours in zip(answers["torch"], rounds, strict=True)
        ]
        found, expected = rounds[0]["found"], answers["torch"][0]["found"]
        rows.append(
            {
                "runtime": name,
                "objects": sum(map(len, found)),
                "calls": len(times),
                "p50_ms": f"{np.median(times):.1f}",
                "p95_ms": f"{np.quantile(times, 0.95):.1f}",
                "ratio_to_torch": f"{np.median(pairs):.2f}",
                "ratio_low": f"{min(pairs):.2f}",
                "ratio_high": f"{max(pairs):.2f}",
                "same_conditions": "yes" if found == expected else "no",
            }
        )
    return rows


def prepare(work: Path, size: int, count: int) -> dict[str, Any]:
    """Write both networks for every runtime, and the photos, into `work`; what the table says of them.

    Raises UserError where a model, an export or the photos are missing.
    """
    import cv2

    from assay.data.classification import read_manifest
    from assay.data.images import read_image
    from assay.export.detection import export_detector
    from assay.export.openvino import export_openvino
    from assay.models.detector import Detector, load_detector

    described = {}
    for stage, build in zip(STAGES, (DETECTOR, CONDITIONS), strict=True):
        if not (build / "export/model.onnx").is_file():
            raise UserError(f"{build}/export: no export; run `dvc repro export@{build.name}`")
        (work / stage).mkdir()
        described[stage] = read_json(build / "export/metadata.json")
    trained, _ = load_detector(DETECTOR / "model")
    detector = Detector(trained.module, classes=trained.classes, image_size=size)
    described["detector"]["image_size"] = size
    export_detector(detector, work / "detector/model.onnx", metadata=described["detector"])
    (work / "conditions/model.onnx").symlink_to((CONDITIONS / "export/model.onnx").resolve())
    for stage, metadata in described.items():
        (work / stage / "metadata.json").write_text(json.dumps(metadata), "utf-8")
        export_openvino(work / stage / "model.onnx", work / stage / "openvino", metadata=metadata)
    manifest = read_manifest(DETECTOR / "dataset")
    names = manifest.loc[manifest["split"] == "test", "image"].head(count).tolist()
    if not names:
        raise UserError(f"{DETECTOR}/dataset: no test photos")
    photos = [cv2.resize(read_image(DETECTOR / "dataset" / name), (size, size)) for name in names]
    np.save(work / "photos.npy", np.stack(photos))
    about = {stage: f"{one['experiment']} {one['architecture']}" for stage, one in described.items()}
    return {"size": size, "photos": len(photos), **about}


def alternate(work: Path, rounds: int, calls: int) -> dict[str, list[Any]]:
    """Every runtime's answers in every round; only one works at a time."""
    found: dict[str, list[Any]] = {name: [] for name in RUNTIMES}
    with ExitStack() as stack:
        sides = {name: stack.enter_context(start(name, work, calls)) for name in RUNTIMES}
        for side in sides.values():
            ask(side)  # first kernels and threads: not counted
        for number in range(rounds):
            for name in RUNTIMES if number % 2 == 0 else RUNTIMES[::-1]:
                found[name].append(ask(sides[name]))
        for side in sides.values():
            side.communicate()
    return found


def start(name: str, work: Path, calls: int) -> "subprocess.Popen[str]":
    """Start one runtime's process with the threads that it takes by itself."""
    limits = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY")
    options = ["--runtime", name, "--work", str(work), "--calls", str(calls)]
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.inspect", *options],
        env={key: value for key, value in os.environ.items() if key not in limits},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(side: "subprocess.Popen[str]") -> dict[str, Any]:
    """One round of one runtime. Raises SystemExit if it failed."""
    questions, answers = cast("IO[str]", side.stdin), cast("IO[str]", side.stdout)
    try:
        questions.write("go\n")
        questions.flush()
        found: dict[str, Any] = json.loads(answers.readline())
    except (BrokenPipeError, ValueError):
        raise SystemExit(f"{' '.join(map(str, side.args[1:5]))}: failed, see above") from None  # type: ignore[index]
    return found


def serve(runtime: str, work: Path, calls: int) -> None:
    """Answer each line of the input with a round: ms of every call, and the objects of every photo."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    inspector, photos = opened(runtime, work), np.load(work / "photos.npy")
    for _ in sys.stdin:
        times, found = [], []
        for _ in range(calls):
            found = []
            for photo in photos:
                begun = perf_counter()
                objects = inspector.inspect(photo)["objects"]
                times.append(1000 * (perf_counter() - begun))
                found.append([(one["label"], one["condition"]) for one in objects])
        print(json.dumps({"ms": times, "found": found}), file=answers, flush=True)


def opened(runtime: str, work: Path) -> Inspector:
    """Both stages in one runtime."""
    from assay.export.condition_predictor import ConditionPredictor
    from assay.export.detection import DetectorPredictor

    if runtime == "torch":
        stages = in_torch()
    else:
        chosen = cast("Runtime", runtime)
        stages = {name: open_model(work / name / FILES[chosen], chosen) for name in STAGES}
    told = {name: read_json(work / name / "metadata.json") for name in STAGES}
    return Inspector(
        DetectorPredictor(stages["detector"], told["detector"]),
        ConditionPredictor(told["conditions"], stages["conditions"]),
        {},
    )


def in_torch() -> dict[str, Opened]:
    """The trained networks, asked as exports are."""
    from assay.training.precision import start_torch

    start_torch(0)
    import torch

    from assay.models.condition import load_condition
    from assay.models.detector import load_detector

    detector, _ = load_detector(DETECTOR / "model")
    classifier, _ = load_condition(CONDITIONS / "model")

    def asked(answer: Callable[..., Any], *names: str) -> Opened:
        def run(fed: Mapping[str, Any]) -> Any:
            with torch.inference_mode():
                return answer(*(torch.from_numpy(fed[name]) for name in names)).numpy()

        return Opened(run, names, "")

    def boxes(pixels: Any) -> Any:
        return detector.module((pixels / 255).to(memory_format=torch.channels_last))[0]

    def conditions(*given: Any) -> Any:
        return classifier(*given).softmax(dim=1)

    return {
        "detector": asked(boxes, "pixels"),
        "conditions": asked(conditions, "pixels", "types", "spatial"),
    }


if __name__ == "__main__":
    sys.exit(main())
