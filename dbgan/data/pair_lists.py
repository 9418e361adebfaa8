"""Pairs by list files, as RealBlur's: each line the sharp photograph and its blurred version."""

from pathlib import Path

from dbgan.data import folder_words, photos

LONGEST_LINE = 8192


def find(root: Path) -> list[Path]:
    """The text files below `root` whose first line names two photographs, as sorted paths relative to it."""
    texts = sorted(path for path in photos.files(root) if path.suffix.lower() in (".txt", ".csv", ".lst"))
    return [path.relative_to(root) for path in texts if _pair(_first_line(path))]


def read(root: Path, lists: list[Path]) -> dict[str | None, list[tuple[str, Path, Path]]]:
    """The pairs (key, blurred, sharp) of list files by split, paths relative to `root`, sorted by key. A list is of
    the split that its name says; paths in it are relative to its folder. The sharp photograph comes first where
    folders do not say otherwise.

    Raises ValueError naming the list and line for a line that is not UTF-8, is no pair or leaves `root`, and naming
    both lists where two are of the same split.
    """
    of_split: dict[str | None, Path] = {}
    for path in lists:
        split = folder_words.meaning(path.stem)[1]
        if split in of_split:
            raise ValueError(f"{root}: which list is meant, {of_split[split]} or {path}? Move one out of the folder")
        of_split[split] = path
    return {split: sorted(_rows(root, path)) for split, path in of_split.items()}


def _rows(root: Path, path: Path) -> list[tuple[str, Path, Path]]:
    try:
        text = (root / path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        number = error.object.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{root / path}, line {number}: not UTF-8; save the list in that encoding") from None
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        pair = _pair(line)
        if pair is None or any(Path(name).is_absolute() or ".." in Path(name).parts for name in pair):
            raise ValueError(f"{root / path}, line {number}: no pair of paths within this folder")
        sharp, blurred = (path.parent / name for name in pair)
        if _side(blurred) == "sharp" and _side(sharp) == "blurred":
            sharp, blurred = blurred, sharp
        rows.append((blurred.with_suffix("").as_posix(), blurred, sharp))
    return rows


def _pair(line: str) -> list[str] | None:
    columns = [part.strip() for part in line.split("\t" if "\t" in line else "," if "," in line else None)]
    columns = [part for part in columns if part]
    known = len(columns) == 2 and all(Path(name).suffix.lower() in photos.SUFFIXES for name in columns)
    return columns if known else None


def _side(path: Path) -> str | None:
    said = [folder_words.meaning(name)[0] for name in path.parent.parts]
    return next((side for side in reversed(said) if side), None)


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return file.readline(LONGEST_LINE)
