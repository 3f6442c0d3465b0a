"""`clipsonic catalogue`: what of a published data set is here, counted by split and class."""

import json
from collections import Counter
from pathlib import Path

from clipsonic.data.catalogues import IMAGEHEAR_CLASSES, Entry, read_imagehear, read_music, read_vggsound
from clipsonic.data.joining import Joined, join, write_list, write_missing
from clipsonic.interfaces.progress import console


def run_vggsound(
    catalogue: Path,
    split: str,
    ids_are_clips: bool,
    files: Path,
    out: Path | None,
    missing: Path | None,
    as_json: bool,
) -> None:
    """Joins VGGSound's list with a folder of videos."""
    _tell(join(read_vggsound(catalogue, split), files, ids_are_clips), out, missing, as_json)


def run_music(
    catalogues: list[Path], seed: int, files: Path, out: Path | None, missing: Path | None, as_json: bool
) -> None:
    """Joins MUSIC's lists with a folder of videos."""
    _tell(join(read_music(catalogues, seed), files), out, missing, as_json)


def run_imagehear(folder: Path, as_json: bool) -> None:
    """Counts ImageHear's pictures and lists those of no use."""
    unusable: list[str] = []
    queries = read_imagehear(folder, lambda path, why: unusable.append(why))
    classes = Counter(query.label for query in queries)
    absent = sorted(IMAGEHEAR_CLASSES - set(classes))
    if as_json:
        page = {"pictures": len(queries), "classes": classes, "missing_classes": absent, "unusable": unusable}
        print(json.dumps(page, indent=1, ensure_ascii=False))
        return
    for label in sorted(classes):
        print(f"{label:<14}{classes[label]:>4}")
    print(f"{len(queries)} pictures of {len(classes)} classes; missing: {', '.join(absent) or 'none'}")
    for why in unusable:
        print(f"not used: {why}")


def _tell(joined: Joined, out: Path | None, missing: Path | None, as_json: bool) -> None:
    """Writes and prints; the missing ids even where no video is found, since they are what to look for."""
    if missing is not None:
        write_missing(joined.missing, missing)
    if out is not None:
        write_list(joined, out)
    there, absent = _count([found.entry for found in joined.found]), _count(joined.missing)
    labels = sorted({label for _, label in there | absent})
    splits = sorted({split for split, _ in there | absent}, reverse=True)  # train before test
    if as_json:
        page = {
            "there": len(joined.found),
            "missing": len(joined.missing),
            "to_cut": sum(found.start is not None for found in joined.found),
            "unlisted": joined.unlisted,
            "splits": {split: _both(there, absent, [split], labels) for split in splits},
            "classes": {
                label: {split: _both(there, absent, [split], [label]) for split in splits} for label in labels
            },
        }
        print(json.dumps(page, indent=1, ensure_ascii=False))
        return
    width = max(map(len, labels))
    for label in labels:
        print(f"{label:<{width}}", *(_words(there, absent, split, [label]) for split in splits))
    print(f"{f'{len(labels)} classes':<{width}}", *(_words(there, absent, split, labels) for split in splits))
    print(
        f"{len(joined.found)} there, {len(joined.missing)} missing; "
        f"{joined.unlisted} other videos in {joined.folder}"
    )
    for path in (out, missing):
        if path is not None:
            console.print(str(path), markup=False, soft_wrap=True)


Counts = Counter[tuple[str, str]]  # by split and label


def _count(entries: list[Entry]) -> Counts:
    return Counter((entry.split, entry.label) for entry in entries)


def _both(there: Counts, absent: Counts, splits: list[str], labels: list[str]) -> dict[str, int]:
    keys = [(split, label) for split in splits for label in labels]
    return {"there": sum(there[key] for key in keys), "missing": sum(absent[key] for key in keys)}


def _words(there: Counts, absent: Counts, split: str, labels: list[str]) -> str:
    counts = _both(there, absent, [split], labels)
    return f"  {split} {counts['there']:>6} of {sum(counts.values()):>6}"
