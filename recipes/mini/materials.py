"""Turn raw material into captioned pictures and real videos of the ten concepts of ``mini``.

    python recipes/mini/materials.py --raw DATA --npm node_modules --npm more/node_modules --work WORK

Writes ``WORK/pictures.jsonl`` (rewritten after each source, so that training can begin early) and
``WORK/videos.csv``, and ``WORK/sounds.csv`` for the vocoder. Everything is seeded; whatever exists already is kept.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from functools import partial
from pathlib import Path

from drawings import gcompris, icons, openclipart, stamps
from pictures import Picture, Source, emoji, imagenet, unique_pixels, write_rows
from videos import list_sounds, make_videos

GOOGLE = ("emoji-datasource-google/img/google/64", "Apache-2.0 / OFL-1.1 (Noto Emoji)")
TWITTER = ("emoji-datasource-twitter/img/twitter/64", "CC-BY-4.0 (Twemoji)")
FLUENT = ("@lobehub/fluent-emoji-3d/assets", "MIT (Fluent Emoji)")


def picture_sources(args: argparse.Namespace) -> list[tuple[str, Source]]:
    """List the sources in the order in which they are made: the ten concepts first, the slow rest last."""
    sources: list[tuple[str, Source]] = []
    for npm in args.npm:
        for name, (folder, licence) in (("google", GOOGLE), ("twitter", TWITTER), ("fluent", FLUENT)):
            if (npm / folder).is_dir():
                sources.append((name, partial(emoji, npm, args.work, name, folder, licence)))
        if (npm / "@iconify-json").is_dir():
            sources.append(("icons", partial(icons, npm, args.work)))
    if args.stamps.is_dir():
        sources.append(("tuxpaint", partial(stamps, args.stamps, args.work)))
    if args.gcompris.is_dir():
        sources.append(("gcompris", partial(gcompris, args.gcompris, args.work)))
    if args.openclipart.is_dir():
        sources.append(
            ("openclipart of the concepts", partial(openclipart, args.openclipart, args.work, True))
        )
    for name in ("imagenet_sample", "tiny_imagenet"):
        sources.append((name, partial(imagenet, args.raw, args.work, name)))
    return sources


def collect(sources: list[tuple[str, Source]], pictures: list[Picture], seen: set[str], work: Path) -> None:
    """Make the pictures of each source and write what there is after each of them."""
    for name, source in sources:
        began = time.perf_counter()
        before = len(pictures)
        pictures.extend(unique_pixels(source(), work, seen))
        if name != "google":  # the split of a concept is decided over all its open pictures
            write_rows(pictures, work)
        print(f"{name}: {len(pictures) - before} pictures in {time.perf_counter() - began:.0f} s", flush=True)


def main() -> None:
    """Read the arguments and run the steps."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--raw", type=Path, required=True, help="folder with audio/ and images/")
    parser.add_argument("--work", type=Path, required=True, help="folder to write to")
    parser.add_argument(
        "--npm", type=Path, action="append", default=[], help="a node_modules folder; repeatable"
    )
    parser.add_argument("--stamps", type=Path, default=Path("/usr/share/tuxpaint/stamps"))
    parser.add_argument("--openclipart", type=Path, default=Path("/usr/share/openclipart/svg"))
    parser.add_argument("--gcompris", type=Path, default=Path("/usr/share/gcompris-qt/rcc"))
    parser.add_argument("--skip", choices=("videos", "openclipart"), action="append", default=[])
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)

    roots = (args.raw / "audio", args.work / "audio")
    pictures: list[Picture] = []
    seen: set[str] = set()
    collect(picture_sources(args), pictures, seen, args.work)
    print(Counter(p.concept for p in pictures if p.concept))
    print(f"sounds: {list_sounds(roots, args.work)}", flush=True)
    if "videos" not in args.skip:
        began = time.perf_counter()
        made = make_videos(roots, args.work)
        print(f"videos: {made} in {time.perf_counter() - began:.0f} s", flush=True)
    if "openclipart" not in args.skip and args.openclipart.is_dir():
        collect(
            [("openclipart", partial(openclipart, args.openclipart, args.work, False))],
            pictures,
            seen,
            args.work,
        )


if __name__ == "__main__":
    main()
