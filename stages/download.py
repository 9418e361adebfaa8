"""Provide the photographs, and say what they are: python -m stages.download data/raw results/contact_sheet.png"""

import warnings
from pathlib import Path

from dbgan import outputs, settings, tracking, utils

MEASURED = 24  # photographs of each kind whose blur_effect is measured, at most
SHOWN = 4  # photographs of each kind on the contact sheet
CENTRE = 512  # pixels, side of the part in which blur_effect is measured


def main(
    out: Path,
    sheet: Path,
    params: Path = Path("params.yaml"),
    metrics: Path = Path("metrics/data.json"),
) -> None:
    """Find the photographs of `data.source` and `data.real`, check each, list them in OUT/frames.json, show some of
    them on SHEET and say what they are in METRICS."""
    from dbgan import metrics as realism
    from dbgan.data import archives, check, contact_sheet, manifest, report, sources
    from dbgan.data.camera_shake import ShakeParams
    from dbgan.utils import ordered

    values = settings.load(params)
    data = settings.section(values, "data", sources.DataParams)
    camera = settings.section(values, "camera", ShakeParams)
    real_camera = settings.section(values, "real_camera", ShakeParams)
    seed = settings.value(values, "seed", settings.Seed)
    workers = utils.workers()
    warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd files; what matters about them is reported

    def unpacked(name: str) -> Path:
        archive, cache = getattr(data.archives, name), utils.project_root() / ".downloads"
        return archives.folder(archive, f"data.archives.{name}", cache, utils.progress, utils.log)

    def checked(kind, folder: Path, found: list, name: str) -> tuple[list, list]:
        return kind(folder, utils.progress(found, desc=name, unit="check"), data.min_side, workers)

    with tracking.run("download", values, ["seed", "data", "camera", "real_camera"]) as log:
        with utils.atomic_write(out) as part:
            part.mkdir()
            simulated = sources.simulate(part, data, camera, real_camera, seed, utils.progress)
            found = sources.find(data, (part, simulated), utils.project_root(), unpacked)
            train, train_out = checked(check.pairs, found.folder, found.layout.train, "train")
            test, test_out = checked(check.pairs, found.folder, found.layout.test, "test")
            real, real_out = checked(check.photographs, found.real_folder, found.real_blur, "real blur")
            train, real, leaks = check.without_leaks(train, test, real)
            set_aside = [*train_out, *test_out, *real_out, *leaks]
            check.stop_if_too_many(set_aside, len(train), len(test), len(real), data.max_rejected)
            listing = report.listed(found, train, test, real)
            manifest.save_listing(part / "frames.json", listing)
            summary = report.summary(found, listing, train, test, real, set_aside)

            rows = []
            for kind, listed in report.domains(listing).items():
                root = found.real_folder if kind == "real_blur" else found.folder
                measured = [listed[k] for k in realism.evenly(len(listed), MEASURED)]
                bar = utils.progress(measured, desc=f"blur of {kind}", unit="photo")
                effects = ordered(lambda f, r=root: realism.blur_effects([report.centre(r, f, CENTRE)]), bar, workers)
                summary["blur_effect"][kind] = report.mean(effects)
                shown = [listed[k] for k in realism.evenly(len(listed), SHOWN)]
                title = kind.replace("_", " ")
                rows.append(
                    [(f"{title}: {f.path}", contact_sheet.thumbnail(manifest.load_frame(root, f))) for f in shown]
                )
            with utils.atomic_write(sheet) as file:
                contact_sheet.save(file, rows)
        outputs.write_json(metrics, summary)
        log.metrics(summary)
        log.files(metrics, sheet)
    for line in report.lines(found, summary):
        utils.log(line)


app = utils.app(main)

if __name__ == "__main__":
    app()
