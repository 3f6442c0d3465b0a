"""How loud a sound is, and bringing it to a level."""

import numpy as np
from jaxtyping import Float

from clipsonic.errors import UserError

SHORTEST = 0.4  # seconds of the blocks that loudness is measured in
HIGHEST = 10 ** (-0.1 / 20)  # no sound is raised above this peak, -0.1 dB of full scale
SAFE_PEAK = 10 ** (-1 / 20)  # the peak of a sound that would pass full scale: -1 dB
EVEN_LUFS = -23.0  # EBU R 128's level of broadcasts, to bring sounds of different loudness together


def integrated_loudness(wave: Float[np.ndarray, "samples"], sample_rate: int) -> float:
    """Loudness in LUFS by EBU R 128 (ITU-R BS.1770-4), as ffmpeg measures it; -70 and less is silence.

    What is shorter than its blocks is measured as if it were repeated.
    """
    import av  # a tenth of a second that only this needs

    peak = float(np.abs(wave).max(initial=0.0))
    if peak > 1:  # ffmpeg's histogram of loudness ends at 10 LUFS
        return integrated_loudness(wave / peak, sample_rate) + 20 * float(np.log10(peak))
    least = round(SHORTEST * sample_rate) + 1
    wave = np.tile(wave, -(-least // max(1, len(wave)))) if len(wave) < least else wave
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=sample_rate, format="flt", layout="mono")
    meter, sink = graph.add("ebur128", "metadata=1:framelog=quiet"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), format="flt", layout="mono")
    frame.sample_rate = sample_rate
    source.push(frame)
    source.push(None)
    loudness = -np.inf
    try:
        while True:
            # The last frame may be no whole block: nothing is said of it.
            loudness = float(sink.pull().metadata.get("lavfi.r128.I", loudness))
    except (av.error.BlockingIOError, av.error.EOFError):
        return loudness


def at_loudness(
    wave: Float[np.ndarray, "samples"], sample_rate: int, lufs: float
) -> Float[np.ndarray, "samples"]:
    """The sound at that loudness, or as near to it as its peaks allow; silence stays silence.

    Raises:
        UserError: no level for a sound.
    """
    if not -70 < lufs <= 0:
        raise UserError(f"loudness must be above -70 and at most 0 LUFS, got {lufs}; broadcasts are at -23")
    now = integrated_loudness(wave, sample_rate)
    return wave if now <= -70 else _raised(wave, 10 ** ((lufs - now) / 20))


def at_peak(wave: Float[np.ndarray, "samples"], decibels: float) -> Float[np.ndarray, "samples"]:
    """The sound with its largest sample at that level, dB of full scale; silence stays silence.

    Raises:
        UserError: above full scale, or no number.
    """
    if not -90 <= decibels <= 0:
        raise UserError(f"peak must be between -90 and 0 dB of full scale, got {decibels}")
    peak = float(np.abs(wave).max(initial=0.0))
    return wave if peak == 0 else (wave * (10 ** (decibels / 20) / peak)).astype(np.float32)


def within_full_scale(wave: Float[np.ndarray, "samples"]) -> Float[np.ndarray, "samples"]:
    """Return the sound as it is, or scaled to a peak of -1 dB where it would pass full scale."""
    peak = float(np.abs(wave).max(initial=0.0))
    return wave if peak <= 1 else (wave * (SAFE_PEAK / peak)).astype(np.float32)


def peak_db(wave: Float[np.ndarray, "samples"]) -> float | None:
    """Return the largest sample in dB of full scale; None of silence."""
    peak = float(np.abs(wave).max(initial=0.0))
    return 20 * float(np.log10(peak)) if peak > 0 else None


def faded(
    wave: Float[np.ndarray, "samples"], sample_rate: int, seconds: float
) -> Float[np.ndarray, "samples"]:
    """Return the sound with raised-cosine fades of that length at both ends, at most half of it each."""
    length = min(round(seconds * sample_rate), len(wave) // 2)
    if length == 0:
        return wave
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / length)).astype(np.float32)
    wave = wave.astype(np.float32)  # a copy
    wave[:length] *= ramp
    wave[-length:] *= ramp[::-1]
    return wave


def _raised(wave: Float[np.ndarray, "samples"], gain: float) -> Float[np.ndarray, "samples"]:
    return (wave * min(gain, HIGHEST / float(np.abs(wave).max()))).astype(np.float32)
