"""Every fixed number of the system: the sound and its mel spectrogram."""

import math

from pydantic import BaseModel, ConfigDict

SAMPLE_RATE = 16_000  # Hz, mono
N_FFT = 2048  # samples in a spectrum's window
HOP_LENGTH = 512  # samples from one frame to the next
N_MELS = 64  # bands, Slaney scale, 0 Hz to half the sample rate
CROP_FRAMES = 64  # frames the U-Net is trained on
CROP_SAMPLES = CROP_FRAMES * HOP_LENGTH  # 32,768 samples, 2.048 s
CLIP_FRAMES = 128  # frames it is sampled at unless told
FRAMES_PER_SECOND = SAMPLE_RATE / HOP_LENGTH  # 31.25
CLIP_SECONDS = CLIP_FRAMES / FRAMES_PER_SECOND  # 4.096 s

LOG_MEL_FLOOR = math.log(1e-5)  # natural log; every quieter band is clamped to it
LOG_MEL_TOP = 3.5  # the loudest of 400 environmental clips reaches 3.2


class Frozen(BaseModel):
    """Settings that do not change once made and refuse names they do not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_inf_nan="constants", use_attribute_docstrings=True
    )


class MelSettings(Frozen):
    """The mel spectrogram a model or a data set was made with; all must agree to be used together."""

    sample_rate: int = SAMPLE_RATE
    n_fft: int = N_FFT
    hop_length: int = HOP_LENGTH
    n_mels: int = N_MELS
    log_floor: float = round(LOG_MEL_FLOOR, 6)
    log_top: float = LOG_MEL_TOP
