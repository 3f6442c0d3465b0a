"""`clipsonic catalogue`: what of a published data set is here, counted by split and class."""

from collections import Counter
from pathlib import Path

from clipsonic.data.catalogues import IMAGEHEAR_CLASSES, Entry, read_imagehear, read_music, read_vggsound
from clipsonic.data.joining import Joined, join, write_list, write_missing, write_pictures
from clipsonic.interfaces.telling import manner, note, show


def run_vggsound(
    catalogue: Path,
    split: str,
    ids_are_clips: bool,
    files: Path,
    out: Path | None,
    missing: Path | None,
) -> None:
    """Joins VGGSound's list with a folder of videos."""
    _tell(join(read_vggsound(catalogue, split), files, ids_are_clips), out, missing)


def run_music(catalogues: list[Path], seed: int, files: Path, out: Path | None, missing: Path | None) -> None:
    """Joins MUSIC's lists with a folder of videos."""
    _tell(join(read_music(catalogues, seed), files), out, missing)


def run_imagehear(folder: Path, out: Path | None = None) -> None:
    """Count ImageHear's pictures, list those of no use, and write the others for `generate --prompts`."""
    unusable: list[str] = []
    queries = read_imagehear(folder, lambda path, why: unusable.append(why))
    classes = Counter(query.label for query in queries)
    if out is not None:
        write_pictures(queries, folder, out)
    absent = sorted(IMAGEHEAR_CLASSES - set(classes))
    page = {"pictures": len(queries), "classes": classes, "missing_classes": absent, "unusable": unusable}
    page |= {"prompts": str(out)} if out is not None else {}
    lines = [f"{label:<14}{classes[label]:>4}" for label in sorted(classes)]
    lines.append(f"{len(queries)} pictures of {len(classes)} classes; missing: {', '.join(absent) or 'none'}")
    show(page, "\n".join([*lines, *(f"not used: {why}" for why in unusable)]))
    if out is not None and not manner.as_json:
        note(str(out))


def _tell(joined: Joined, out: Path | None, missing: Path | None) -> None:
    """Writes and prints; the missing ids even where no video is found, since they are what to look for."""
    if missing is not None:
        write_missing(joined.missing, missing)
    if out is not None:
        write_list(joined, out)
    there, absent = _count([found.entry for found in joined.found]), _count(joined.missing)
    labels = sorted({label for _, label in there | absent})
    splits = sorted({split for split, _ in there | absent}, reverse=True)  # train before test
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
    page |= {"list": str(out)} if out is not None else {}
    page |= {"missing_list": str(missing)} if missing is not None else {}
    width = max(map(len, labels))
    rows = [(label, [label]) for label in labels] + [(f"{len(labels)} classes", labels)]
    lines = [
        " ".join([f"{name:<{width}}", *(_words(there, absent, split, of) for split in splits)])
        for name, of in rows
    ]
    lines.append(
        f"{len(joined.found)} there, {len(joined.missing)} missing; "
        f"{joined.unlisted} other videos in {joined.folder}"
    )
    show(page, "\n".join(lines))
    for path in (out, missing):
        if path is not None and not manner.as_json:
            note(str(path))


Counts = Counter[tuple[str, str]]  # by split and label


def _count(entries: list[Entry]) -> Counts:
    return Counter((entry.split, entry.label) for entry in entries)


def _both(there: Counts, absent: Counts, splits: list[str], labels: list[str]) -> dict[str, int]:
    keys = [(split, label) for split in splits for label in labels]
    return {"there": sum(there[key] for key in keys), "missing": sum(absent[key] for key in keys)}


def _words(there: Counts, absent: Counts, split: str, labels: list[str]) -> str:
    counts = _both(there, absent, [split], labels)
    return f"  {split} {counts['there']:>6} of {sum(counts.values()):>6}"
