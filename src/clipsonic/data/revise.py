"""A prepared data set whose list or videos have changed: labels and splits updated, changed videos taken out."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from clipsonic.data.shards import ClipEntry, NewClip, ShardIndex, ShardWriter, index_path
from clipsonic.data.sources import Video

ENDS = 2**16  # bytes at both ends of a file that tell it from another
NAMED = 5  # videos that a line names


def fingerprint(video: Video) -> str | None:
    """Return what changes with the piece of a file that a video is: size, both ends and length; None if unreadable.

    A file that is only copied or touched keeps it. A change in the middle that leaves the size alone is not seen.
    """
    try:
        with video.path.open("rb") as file:
            size = file.seek(0, 2)
            digest = hashlib.sha256()
            for place in (0, max(0, size - ENDS)):
                file.seek(place)
                digest.update(file.read(ENDS))
    except (OSError, ValueError):
        return None
    piece = "" if video.seconds is None else f"+{video.seconds:g}"
    return f"{size}-{digest.hexdigest()[:16]}{piece}"


def revise(
    shards: Sequence[tuple[Path, ShardIndex]], videos: Sequence[Video], tell: Callable[[str], None]
) -> list[tuple[Path, ShardIndex]]:
    """Bring the shards of a data set up to what is now said of its videos.

    Clips get the labels, splits and licences of today; videos whose file or length has changed are taken out, to be
    prepared again. A shard without any of these is not touched. One line each says what was changed, and which
    videos of the data set are not among `videos`: they stay.

    Returns:
        The shards as they are then.
    """
    now = {video.name: video for video in videos}
    known = {name: index.files.get(name) for _, index in shards for name in (*index.videos, *index.skipped)}
    changed = {
        name
        for name, was in known.items()
        if was and name in now and fingerprint(now[name]) not in (was, None)
    }
    revised: set[str] = set()
    kept = []
    for path, index in shards:
        names = {*index.videos, *index.skipped}
        said = {
            clip.info.source
            for clip in index.clips
            if _said(clip, now) != (clip.info.label, clip.info.split, clip.info.licence)
        } - changed
        revised |= said
        if not said and not names & changed:
            kept.append((path, index))
            continue
        writer = _filled(path, index, now, changed)
        index_path(path).unlink()  # a tar without an index is made again: it would not fit a half-changed one
        if writer.videos:
            kept.append((path, writer.write(path.parent, int(path.stem.split("-")[1]))))
        else:
            path.unlink()
    gone = sorted(set(known) - set(now))
    for several, what in (
        (sorted(revised), "updated the labels, splits or licences of"),
        (sorted(changed), "preparing again, because they have changed,"),
        (gone, "kept, though not among the sources (name a new folder to leave them out),"),
    ):
        if several:
            count = f"{len(several)} video{'s' if len(several) > 1 else ''}"
            more = ", ..." if len(several) > NAMED else ""
            tell(f"{what} {count}: {', '.join(several[:NAMED])}{more}")
    return kept


def _said(clip: ClipEntry, now: Mapping[str, Video]) -> tuple[str | None, str, str | None]:
    video = now.get(clip.info.source)
    if video is None:
        return clip.info.label, clip.info.split, clip.info.licence
    return video.label, video.split, video.licence


def _filled(path: Path, index: ShardIndex, now: Mapping[str, Video], changed: set[str]) -> ShardWriter:
    """Return a writer with all of a shard but the changed videos."""
    clips: dict[str, list[NewClip]] = {name: [] for name in index.videos}
    with path.open("rb") as tar:
        for clip in index.clips:
            label, split, licence = _said(clip, now)
            info = clip.info.model_copy(update={"label": label, "split": split, "licence": licence})
            parts = []
            for offset, size in (clip.sound, clip.frames):
                tar.seek(offset)
                parts.append(tar.read(size))
            clips[clip.info.source].append(NewClip(clip.key, info, *parts))
    writer = ShardWriter()
    for name in (*index.videos, *index.skipped):
        if name not in changed:
            writer.add(name, clips[name] if name in clips else index.skipped[name], index.files.get(name))
    return writer
