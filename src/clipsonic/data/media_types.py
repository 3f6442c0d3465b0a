"""The file name endings of videos, sounds and pictures, and the files of a folder that have one.

Imports no torch.
"""

import os
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

_VIDEOS = """
    .3g2 .3gp .asf .avi .divx .dv .f4v .flv .m2t .m2ts .m2v .m4v .mjpeg .mjpg .mkv .mov .mp4 .mpe .mpeg .mpg .mts
    .mxf .nut .ogm .ogv .qt .rm .rmvb .ts .vob .webm .wmv .wtv
"""
_SOUNDS = """
    .3ga .aac .ac3 .aif .aifc .aiff .amr .ape .au .avr .caf .flac .htk .ircam .m4a .m4b .mat4 .mat5 .mka .mp2 .mp3
    .mpc2k .nist .oga .ogg .opus .paf .pvf .rf64 .sd2 .sds .snd .svx .tta .voc .w64 .wav .wave .wavex .weba .wma .wv
    .wve .xi
"""
_PICTURES = (
    ".avif .bmp .gif .heic .heif .jfif .jp2 .jpe .jpeg .jpg .pbm .pgm .png .pnm .ppm .tga .tif .tiff .webp"
)
_DESCRIPTIONS = ".csv .json .jsonl .md .tsv .txt"
VIDEOS, SOUNDS, PICTURES = (frozenset(endings.split()) for endings in (_VIDEOS, _SOUNDS, _PICTURES))
DESCRIPTIONS = frozenset(_DESCRIPTIONS.split())  # of the files beside them, which are not worth a note
# Containers in which a video is written, and the codec of the sound that each is given.
WRITTEN_VIDEOS = {".mp4": "aac", ".m4v": "aac", ".mov": "aac", ".mkv": "flac", ".webm": "libopus"}


@dataclass(frozen=True)
class Listing:
    """The files of a folder and of its subfolders."""

    files: list[Path]  # with one of the endings that were looked for, sorted
    others: list[
        Path
    ]  # with another ending, and folders that cannot be listed; hidden ones are not among them

    def left_out(self, folder: Path, expected: Collection[str] = DESCRIPTIONS) -> str | None:
        """Return a line that counts the other files by their endings and names some, or None if there are none.

        Args:
            folder: from which the files are named.
            expected: endings that are not mentioned.
        """
        others = [path for path in self.others if path.suffix.lower() not in expected]
        if not others:
            return None
        endings = Counter(path.suffix.lower() or "without ending" for path in others)
        counts = ", ".join(f"{count} {ending}" for ending, count in sorted(endings.items()))
        names = ", ".join(path.relative_to(folder).as_posix() for path in others[:5])
        more = ", ..." if len(others) > 5 else ""
        files = "1 file of another type" if len(others) == 1 else f"{len(others)} files of other types"
        line = f"{folder}: left out {files} ({counts}): {names}{more}"
        return os.fsencode(line).decode("utf-8", "backslashreplace")  # not every file name is text


def list_files(folder: Path, endings: Collection[str]) -> Listing:
    """Return the files below a folder whose names end in one of `endings`, in lower or upper case.

    Links to folders are followed, after all that is there without links; a folder is listed once, under the first
    path that leads to it, so that links in a circle come to an end.

    Raises:
        OSError: the folder itself cannot be listed.
    """
    next(folder.iterdir(), None)
    files: list[Path] = []
    others: list[Path] = []
    seen: set[str] = set()
    links = [str(folder)]
    while links:
        later: list[str] = []
        for start in links:
            if os.path.realpath(start) in seen:
                continue
            for place, below, names in os.walk(
                start, onerror=lambda error: others.append(Path(error.filename))
            ):
                real = os.path.realpath(place)
                if real in seen:
                    below.clear()
                    continue
                seen.add(real)
                below.sort()
                later += [str(path) for name in below if (path := Path(place, name)).is_symlink()]
                for name in names:
                    path = Path(place, name)
                    if path.suffix.lower() in endings:
                        files.append(path)
                    elif not name.startswith("."):
                        others.append(path)
        links = later
    return Listing(sorted(files), sorted(others))
