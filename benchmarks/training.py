"""Training a classifier beside the obvious way, on the same images, network and cores, in the same run.

    python -m benchmarks.training [--data data/cherry] [--images 384] [--rounds 5] [--only loop,probe,augmentation]

loop          ResNet18 at 128 px, training images/s: assay's own epochs (images decoded once, batched "geometric",
              channels_last, the number format it chooses) beside ImageFolder, PIL, torchvision's transforms of the same
              recipe, DataLoader and fp32. The obvious loop runs twice, without and with a worker per core; the better
              one counts.
probe         A linear probe over 30 epochs, seconds: features computed once beside features computed in every epoch,
              of which three are measured and taken ten times.
augmentation  What such a probe costs in accuracy because it can't augment: the same probe with and without
              "geometric", on all of --data, four epochs, with paired intervals. Not timed; weights from the package.

The sides are processes of their own that wait for each other; the order alternates from round to round, and a first
epoch of each is not counted. A ratio is the median over the rounds.

Writes results/benchmarks/training-<cpu>-<n>core.csv; rows that were not asked for stay; the status is 1 if a ratio is
below its target.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, cast

from assay.environment import describe
from benchmarks.hardware import MADE_ON, made_on, table_path, write_table
from benchmarks.training_sides import CLASSES, SIDES, Settings, augmentation_rows

TARGETS = {"loop": 2.0, "probe": 10.0}  # how many times as fast at least
COLUMNS = (
    *("name", "measure", "images", "rounds", "assay", "obvious", "ratio", "least_ratio", "most_ratio", "target"),
    *("all_assay", "all_obvious", "detail", *MADE_ON),
)  # fmt: skip
NAMES = ("loop", "probe", "augmentation")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and store; returns 1 if a ratio is below its target."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=Path("data/cherry"), help="{train,val}/<class>/*.png")
    parser.add_argument("--images", type=int, default=384, help="training images of an epoch (default: 384)")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of epochs (default: 5)")
    parser.add_argument("--only", default=",".join(NAMES), help="some of " + ",".join(NAMES))
    parser.add_argument("--size", type=int, default=128, help="pixels (default: 128)")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    settings = Settings(chosen.data, chosen.images, chosen.size)
    if chosen.side:
        serve(SIDES[chosen.side](settings))
        return 0
    names = chosen.only.split(",")
    if unknown := [name for name in names if name not in NAMES]:
        parser.error(f"--only {unknown[0]}: expected some of {', '.join(NAMES)}")
    if chosen.rounds < 1 or chosen.images < 64:
        parser.error(f"--rounds {chosen.rounds} --images {chosen.images}: at least 1 round of 64 images")
    for part in ("train", "val"):
        for label in CLASSES:
            if not any((chosen.data / part / label).glob("*.png")):
                parser.error(f"{chosen.data / part / label}: no images; `make data` makes some")
    machine = describe()
    rows = [row for name in names for row in measure(name, settings, chosen.rounds, machine)]
    target = table_path("training", machine)
    write_table(target, [*kept(target, names), *rows], COLUMNS)
    for row in rows:
        print(
            f"{row['measure']}: {row['assay']} and {row['obvious']}, {row['ratio']} (target {row['target'] or 'none'})"
        )
    print(target)
    return int(any(row["target"] and float(row["ratio"]) < float(row["target"]) for row in rows))


def kept(target: Path, names: Sequence[str]) -> list[dict[str, str]]:
    """The table's rows of other names."""
    if not target.is_file():
        return []
    with target.open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["name"] not in names]


def measure(name: str, settings: Settings, rounds: int, machine: Mapping[str, Any]) -> list[dict[str, str]]:
    """The table's rows of one name."""
    facts = made_on(machine, ("torch", "torchvision", "timm"))
    if name == "augmentation":
        return [{"name": name, "rounds": "1", **row, **facts} for row in augmentation_rows(settings)]
    with tempfile.TemporaryDirectory(prefix="assay-benchmark-") as folder:
        images = copy(settings, Path(folder))
        if name == "loop":
            found = alternate(["assay", "obvious", "obvious_workers"], images, rounds)
            best = max(["obvious", "obvious_workers"], key=lambda side: statistics.median(found[side]))
            row = row_of(name, "training images/s", found["assay"], found[best], detail=f"ResNet18, {best}")
        else:
            found = alternate(["probe", "probe_obvious"], images, rounds)
            seconds = [[1 / speed for speed in found[side]] for side in ("probe", "probe_obvious")]
            row = row_of(name, "seconds of 30 epochs", *seconds, detail="EfficientNet-Lite0, frozen")
    return [row | {"images": str(images.images), "rounds": str(rounds)} | facts]


def row_of(
    name: str, measure: str, assay: Sequence[float], obvious: Sequence[float], *, detail: str
) -> dict[str, str]:
    """One comparison; more is better in images/s, less in seconds."""
    pairs = [a / b if "images/s" in measure else b / a for a, b in zip(assay, obvious, strict=True)]
    return {
        "name": name,
        "measure": measure,
        "assay": f"{statistics.median(assay):.2f}",
        "obvious": f"{statistics.median(obvious):.2f}",
        "ratio": f"{statistics.median(pairs):.2f}",
        "least_ratio": f"{min(pairs):.2f}",
        "most_ratio": f"{max(pairs):.2f}",
        "target": f"{TARGETS[name]:g}",
        "all_assay": " ".join(f"{value:.2f}" for value in assay),
        "all_obvious": " ".join(f"{value:.2f}" for value in obvious),
        "detail": detail,
    }


def copy(settings: Settings, folder: Path) -> Settings:
    """Copy as many readable images as asked for, at the wanted size: both sides read these files, all of them."""
    from PIL import Image

    from assay.data.images import BadImage, fit, read_image

    wanted = {"train": settings.images // len(CLASSES), "val": 8}
    for part, count in wanted.items():
        for label in CLASSES:
            target = folder / part / label
            target.mkdir(parents=True)
            for path in sorted((settings.data / part / label).glob("*.png")):
                if len(list(target.iterdir())) == count:
                    break
                try:
                    Image.fromarray(fit(read_image(path), settings.size)).save(target / path.name)
                except BadImage:
                    continue
    found = len(list((folder / "train").glob("*/*")))
    return Settings(folder, found, settings.size)


def alternate(names: Sequence[str], settings: Settings, rounds: int) -> dict[str, list[float]]:
    """Each side's speed in each round; only one side works at a time."""
    found: dict[str, list[float]] = {name: [] for name in names}
    with ExitStack() as stack:
        sides = {name: stack.enter_context(start(name, settings)) for name in names}
        for side in sides.values():
            ask(side)  # imports, first kernels, caches: not counted
        for number in range(rounds):
            for name in names if number % 2 == 0 else list(reversed(names)):
                found[name].append(ask(sides[name]))
                print(
                    f"round {number + 1}, {name}: {found[name][-1]:.3f} per second",
                    file=sys.stderr,
                    flush=True,
                )
        for side in sides.values():
            side.communicate()  # the end of its input is the end of it
    return found


def start(name: str, settings: Settings) -> "subprocess.Popen[str]":
    """Start one side with the threads that it takes by itself."""
    limits = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY")
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "benchmarks.training", "--side", name, "--data", str(settings.data)),
            *("--images", str(settings.images), "--size", str(settings.size)),
        ],
        env={key: value for key, value in os.environ.items() if key not in limits},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(side: "subprocess.Popen[str]") -> float:
    """Let a side work once; what it measured. Raises SystemExit if it failed."""
    questions, answers = cast("IO[str]", side.stdin), cast("IO[str]", side.stdout)
    try:
        questions.write("go\n")
        questions.flush()
        return float(answers.readline())
    except (BrokenPipeError, ValueError):
        raise SystemExit(f"{' '.join(map(str, side.args[1:5]))}: failed, see above") from None  # type: ignore[index]


def serve(speeds: Iterator[float]) -> None:
    """Answer each line of the input with the next speed."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    for _ in sys.stdin:
        print(next(speeds), file=answers, flush=True)


if __name__ == "__main__":
    sys.exit(main())
