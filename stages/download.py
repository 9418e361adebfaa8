"""Provide the photographs: python -m stages.download data/raw"""

from pathlib import Path

from dbgan import params as settings
from dbgan import runtime, tracking


def main(out: Path, params: Path = Path("params.yaml"), metrics: Path = Path("metrics/download.json")) -> None:
    """Take the photographs of `data.source`, check each, and list them in OUT/frames.json."""
    from dbgan.data import frames, sources
    from dbgan.data.shake import ShakeParams

    values = settings.load(params)
    data = settings.section(values, "data", sources.DataParams)
    camera = settings.section(values, "camera", ShakeParams)
    real = settings.section(values, "real_camera", ShakeParams)
    seed = settings.value(values, "seed", int)
    with tracking.run("download", values, ["seed", "data", "camera", "real_camera"]) as log:
        with runtime.whole(out) as part:
            part.mkdir()
            if data.source == "sample":
                listing = sources.sample(part, data, camera, real, seed, runtime.progress)
            else:
                root = runtime.root() / Path(data.root).expanduser()
                listing, notes = sources.folder(root, data.root, runtime.progress)
                for note in notes:
                    runtime.say(note)
            frames.save_listing(part / "frames.json", listing)
        counts = {
            "train_pairs": len(listing.train_blurred),
            "test_pairs": len(listing.test_blurred),
            "real_blur": len(listing.real_blur),
        }
        runtime.write_json(metrics, counts)
        log.metrics(counts)
        log.files(metrics)
    runtime.say("{train_pairs} training pairs, {test_pairs} test pairs, {real_blur} real blurs".format(**counts))


app = runtime.app(main)

if __name__ == "__main__":
    app()
