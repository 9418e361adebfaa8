"""Half an hour on a GPU: python -m benchmarks.gpu data/crops.h5 --minutes 30

Step by step, each useful alone; what a step finds stays in benchmarks/gpu/<card>.json when a later one fails. It needs
neither DVC nor MLflow nor a network.
"""

import json
import re
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Annotated, Any

import torch
import typer

from benchmarks import measure
from benchmarks.launches import Launches
from benchmarks.networks import TRAININGS, chosen, move, new_training, new_update
from dbgan import utils
from dbgan.data import development, photos
from dbgan.data.batches import BlurBatches, DeblurBatches, MixParams
from dbgan.data.h5 import Reader
from dbgan.losses import OBJECTIVES, psnr
from dbgan.panels import evenly
from dbgan.training import loop
from dbgan.training.state import State

FOLDER = Path(__file__).parent / "gpu"
SIDE = 16384  # of the matrices whose product measures the peak
HELD_OUT = 32  # crops
SETTINGS: dict[str, dict[str, Any]] = {
    "shipped": {},
    "one_forward false": {"one_forward": False},
    "float32": {"precision": "float32"},
}
Found = dict[str, Any]


def values_of(scale: str, name: str, **changes: Any) -> Found:
    values = measure.params(scale)
    values[name] |= changes
    return values


def devices(device: torch.device) -> Found:
    """What an update waits for, of every training; a tensor left on the CPU is an error. None is the bar."""
    cases = [(name, {"precision": "bfloat16"}) for name in TRAININGS]
    against = [name for name in TRAININGS if name != "pretrain"]
    cases += [
        (name, {"objective": objective, "critic": critic})
        for name, objective, critic in product(against, OBJECTIVES, ("vgg", "patch", "blur"))
    ]
    blocking = {}
    for name, changes in cases:
        values = values_of("sample", name, **changes | {"patch": 64, "batch": 2})
        values["objective"] = values[name].pop("objective", values["objective"])
        work = new_update(name, values, device)
        with Launches(device.type) as count:
            work()
        blocking[", ".join([name, *changes.values()])] = dict(count.blocking)
    return {"blocking": {case: found for case, found in blocking.items() if found}, "updates": len(blocking)}


def against_cpu(device: torch.device) -> Found:
    """The losses of one update in float32, here and on the CPU; they should agree to 0.001."""
    found: Found = {}
    for name in TRAININGS:
        values = values_of("sample", name, precision="float32")
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            here, cpu = (new_update(name, values, at)() for at in (device, torch.device("cpu")))
        losses = {term: [float(here[term]), float(cpu[term])] for term in cpu if not term.startswith("gradient")}
        found[name] = losses | {"agree": all(abs(a - b) <= 1e-3 * max(1, abs(b)) for a, b in losses.values())}
    return found


def updates(device: torch.device) -> Found:
    """Launches, gigabytes, TFLOP and time of an update at the paper's scale, as shipped and with plainer settings."""
    found: Found = {}
    for name, (setting, changes) in product(TRAININGS, SETTINGS.items()):
        if changes.keys() - TRAININGS[name].model_fields:
            continue
        work = new_update(name, values_of("paper", name, **changes), device)
        work()
        with Launches(device.type) as count:
            work()
        seconds, flops, memory = measure.cost(work)
        found[f"{name}, {setting}"] = {
            "launches": count.kernels.total(),
            "GB": count.bytes / 1e9,
            "TFLOP": flops / 1e12,
            "seconds": seconds,
            "peak GiB": memory / 2**30,
        }
        if device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
    return found


def peak(device: torch.device, results: Found) -> Found:
    """TFLOP/s of a product of bfloat16 matrices, and each update's share of it."""
    a, b = (torch.randn(SIDE, SIDE, device=device, dtype=torch.bfloat16) for _ in range(2))
    measured = 2 * SIDE**3 / measure.cost(lambda: a @ b)[0] / 1e12
    timed = {name: row for name, row in results["updates"].items() if isinstance(row, dict)}  # none where that failed
    return {
        "TFLOP/s": measured,
        "share": {name: row["TFLOP"] / row["seconds"] / measured for name, row in timed.items()},
    }


def pairs(crops: Reader, p: Any) -> tuple[DeblurBatches, range]:
    """Batches of the paired crops but for those of the last photograph, and the numbers of these."""
    photograph = crops.windows("paired/sharp")[:, 0]
    first = int((photograph == photograph[-1]).argmax())
    if not first:
        raise ValueError(f"{crops.path}: holds one photograph, and two are needed: the last is held out")
    no_bgan: Any = SimpleNamespace(length=lambda name: 1, made_of=crops.digest, digest="")
    data = DeblurBatches(crops, no_bgan, MixParams(realistic=0.0), p.batch, p.patch, 0)
    data.counts[1] = first
    return data, range(first, len(photograph))


def fit(name: str, scale: str, crops: Reader, device: torch.device, log: Callable[..., None]) -> list[loop.Terms]:
    """The rows of a whole training on the given crops, without BGAN's blurs."""
    values = values_of(scale, name, log_every=10, save_every=1000 if scale == "paper" else 100)
    p = chosen(name, values)
    training = new_training(name, values, p)
    if name == "train_bgan":
        training.tables = development.tables_of(crops)
    move(training, device)
    data = BlurBatches(crops, p.batch, p.patch, 0) if name == "train_bgan" else pairs(crops, p)[0]
    with TemporaryDirectory() as folder:
        state = State(Path(folder))
        loop.fit(training, data, p, 0, device, state, partial(log, training.networks))
    return state.rows


def sample_run(device: torch.device, crops: Reader) -> Found:
    """Seconds and the last row of the trainings of the sample scale."""
    found: Found = {}
    for name in TRAININGS:
        begin = time.monotonic()
        rows = fit(name, "sample", crops, device, lambda *_: None)
        found[name] = rows[-1] | {"seconds": time.monotonic() - begin}
    return found


class TimeUp(Exception):
    pass


def pretraining(device: torch.device, crops: Reader, until: float) -> Found:
    """Pre-training at the paper's scale until the time is up: PSNR on the held-out photograph, every minute."""
    held = pairs(crops, chosen("pretrain", measure.params("paper")))[1]
    chosen_crops = [held[i] for i in evenly(len(held), HELD_OUT)]
    blurred, sharp = (
        torch.stack([photos.to_float(crops.rows(f"paired/{kind}", i)) for i in chosen_crops]).to(device)
        for kind in ("blurred", "sharp")
    )
    found: Found = {"blurred": float(psnr(blurred, sharp)), "held out": len(chosen_crops), "minutes": []}
    begin = last = time.monotonic()

    def watch(networks: dict[str, torch.nn.Module], row: loop.Terms, n: int) -> None:
        nonlocal last
        now, network = time.monotonic(), networks["generator"]
        if now - last >= 60 or now >= until:
            last = now
            with torch.no_grad():
                restored = torch.cat([network.eval()(part) for part in blurred.split(4)])
            network.train()
            found["minutes"].append({"minute": (now - begin) / 60, "update": n, "psnr": float(psnr(restored, sharp))})
        if now >= until:
            raise TimeUp

    with suppress(TimeUp):
        fit("pretrain", "paper", crops, device, watch)
    return found


def main(
    crops: Annotated[Path, typer.Argument(help="crops.h5 of the frames to train on")],
    minutes: Annotated[float, typer.Option(help="for all steps; pre-training takes what is left")] = 30.0,
    device: str = "cuda",
) -> None:
    """Test and time the trainings on this machine's GPU."""
    until = time.monotonic() + 60 * minutes
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("this machine has no GPU that PyTorch can use; --device cpu tries the steps without one")
    at, card = torch.device(device), torch.cuda.get_device_name() if device == "cuda" else "cpu"
    path = FOLDER / f"{re.sub(r'[^a-z0-9]+', '-', card.lower())}.json"
    reader = Reader(crops, "paired/blurred", "paired/sharp")
    results: Found = {"card": card, "torch": torch.__version__, "CUDA": torch.version.cuda}
    steps: dict[str, Callable[[], Found]] = {
        "devices": partial(devices, at),
        "against the CPU": partial(against_cpu, at),
        "updates": partial(updates, at),
        "peak": lambda: peak(at, results),
        "sample run": partial(sample_run, at, reader),
        "pre-training": partial(pretraining, at, reader, until),
    }
    for name, step in steps.items():
        begin = time.monotonic()
        try:
            results[name] = step()
        except Exception as error:  # whatever it is, the next step is of use
            results[name] = {"error": f"{type(error).__name__}: {error}"}
            traceback.print_exc()
        results[name]["took, seconds"] = time.monotonic() - begin
        with utils.atomic_write(path) as part:
            part.write_text(json.dumps(results, indent=2) + "\n")
        utils.log(f"{name}: {results[name]}")


app = utils.app(main)

if __name__ == "__main__":
    app()
