"""How loud a sound is, and bringing it to a level."""

import av
import numpy as np
from jaxtyping import Float

from clipsonic.errors import UserError

SHORTEST = 0.4  # seconds of the blocks that loudness is measured in
HIGHEST = 10 ** (-0.1 / 20)  # no sound is raised above this peak, -0.1 dB of full scale


def integrated_loudness(wave: Float[np.ndarray, "samples"], sample_rate: int) -> float:
    """Loudness in LUFS by EBU R 128 (ITU-R BS.1770-4), as ffmpeg measures it; -70 and less is silence.

    What is shorter than its blocks is measured as if it were repeated.
    """
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
        raise UserError(f"the loudness is {lufs} LUFS; it goes from -70 to 0, films are at -23")
    now = integrated_loudness(wave, sample_rate)
    return wave if now <= -70 else _raised(wave, 10 ** ((lufs - now) / 20))


def at_peak(wave: Float[np.ndarray, "samples"], decibels: float) -> Float[np.ndarray, "samples"]:
    """The sound with its largest sample at that level, dB of full scale; silence stays silence.

    Raises:
        UserError: above full scale, or no number.
    """
    if not -90 <= decibels <= 0:
        raise UserError(f"the peak is {decibels} dB; it goes from -90 to 0, full scale")
    peak = float(np.abs(wave).max(initial=0.0))
    return wave if peak == 0 else (wave * (10 ** (decibels / 20) / peak)).astype(np.float32)


def _raised(wave: Float[np.ndarray, "samples"], gain: float) -> Float[np.ndarray, "samples"]:
    return (wave * min(gain, HIGHEST / float(np.abs(wave).max()))).astype(np.float32)
