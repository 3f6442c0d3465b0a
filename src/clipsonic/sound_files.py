"""Sound files of any kind => samples as they are stored, scaled to full scale 1."""

import io
import struct
from pathlib import Path
from typing import IO, Any

import numpy as np
import soundfile
from jaxtyping import Float

from clipsonic.errors import UserError

MIN_RATE = 1000  # Hz; a header that says 1 would make 16,000 samples of each
BLOCK = 2**18  # frames decoded at a time: some files do not tell their length
# Containers of sound that libsndfile does not open. Playlists are none: they name other files and addresses.
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,asf,avi,aac,ac3,eac3,amr,ape,tta,wv,mp3,mpegts,ogg,flac,wav"
)

Channels = Float[np.ndarray, "samples channels"]


def decode(path: Path) -> tuple[Channels, int]:
    """Return the samples of a sound file and its sample rate, Hz.

    libsndfile reads it, or else FFmpeg (M4A, AAC, WMA and others).

    Raises:
        UserError: the file is missing, is not sound, holds no samples, or its sample rate is below 1000 Hz.
    """
    try:
        with _open(path) as source:
            samples, rate = _decode(path, source)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(samples) == 0:
        raise UserError(f"{path} cannot be read as sound: it holds no samples")
    if rate < MIN_RATE:
        raise UserError(f"{path} must have a sample rate of {MIN_RATE} Hz or more, got {rate}")
    return samples, rate


def sample_rate_of(path: Path) -> int:
    """Return the sample rate of a sound file, Hz.

    Raises:
        UserError: the file is missing or is not sound.
    """
    try:
        return int(soundfile.info(path).samplerate)
    except (OSError, soundfile.LibsndfileError):
        return decode(path)[1]


def _decode(path: Path, source: IO[bytes]) -> tuple[Channels, int]:
    try:
        with soundfile.SoundFile(source) as file:
            blocks = []
            while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
                blocks.append(block)
            if not blocks:
                blocks = [np.zeros((0, file.channels), np.float32)]
            return np.concatenate(blocks), int(file.samplerate)
    except soundfile.LibsndfileError as error:
        found = _decode_with_ffmpeg(path)
        if found is None:
            raise UserError(f"{path} cannot be read as sound: {error.error_string}") from error
        return found


def _decode_with_ffmpeg(path: Path) -> tuple[Channels, int] | None:
    import av

    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
    try:
        # The absolute path, or FFmpeg would take a file called "http:a.mp4" for an address.
        with av.open(str(path.absolute()), metadata_errors="replace", container_options=options) as container:
            track = next(iter(container.streams.audio), None)
            if track is None:
                return None
            layout, rate = track.codec_context.layout, track.codec_context.sample_rate
            planar = av.AudioResampler("fltp", layout, rate)
            frames: list[Any] = [out for frame in container.decode(track) for out in planar.resample(frame)]
            blocks = [frame.to_ndarray() for frame in [*frames, *planar.resample(None)]]
    except (av.error.FFmpegError, OSError, ValueError):
        return None
    return (np.concatenate(blocks, axis=1).T, int(rate)) if blocks else None


def _open(path: Path) -> IO[bytes]:
    """Open a file; a WAV whose header tells no length, as pipes write it, gets the one that it has."""
    file = path.open("rb")
    try:
        place = _unknown_length(file)
        file.seek(0)
        if place is None:
            return file
        content = bytearray(file.read())
        size = len(content) - place - 4
        content[4:8], content[place : place + 4] = (
            struct.pack("<I", len(content) - 8),
            struct.pack("<I", size),
        )
    except BaseException:
        file.close()
        raise
    file.close()
    return io.BytesIO(content)


def _unknown_length(file: IO[bytes]) -> int | None:
    """Return where a RIFF file says that its data chunk has 0 bytes though more follow it, else None."""
    end = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    place = 12
    while (chunk := _chunk(file, place)) is not None:
        name, size = chunk
        if name == b"data":
            return place + 4 if size == 0 and not _is_chunks(file, place + 8, end) else None
        place += 8 + size + size % 2
    return None


def _is_chunks(file: IO[bytes], place: int, end: int) -> bool:
    """Return whether the rest of a RIFF file is chunks, or nothing."""
    while place < end:
        chunk = _chunk(file, place)
        if chunk is None or not (chunk[0].isascii() and chunk[0].decode("ascii").isprintable()):
            return False
        place += 8 + chunk[1] + chunk[1] % 2
    return place - end <= 1  # the last chunk's pad byte may be missing


def _chunk(file: IO[bytes], place: int) -> tuple[bytes, int] | None:
    file.seek(place)
    head = file.read(8)
    return (head[:4], struct.unpack("<I", head[4:])[0]) if len(head) == 8 else None
