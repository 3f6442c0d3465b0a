"""The systems of the paper's Table 1: what each was trained on, and what it is asked with."""

from dataclasses import dataclass
from typing import Literal

from clipsonic.encoders.base import PROMPT, SOUND_PROMPT


@dataclass(frozen=True)
class System:
    """One of them.

    Attributes:
        name: the paper's.
        trained_on: which of the three spectrogram models it is: of pictures, of CLIP's or of CLAP's words.
        template: of the words it is asked with, around a label; None asks with a picture.
        bridge: from those words, or that picture, to the image embedding it is asked with.
        paper: its Fréchet audio distance on VGGSound and on MUSIC; whole numbers, as they survive.
    """

    name: str
    trained_on: Literal["pictures", "clip words", "clap words"]
    template: str | None
    bridge: str = "zs"
    paper: tuple[int, int] | None = None


# fmt: off
SYSTEMS = (
    System("IQ",       "pictures",   None),
    System("ZS",       "pictures",   PROMPT, paper=(3, 19)),
    System("PD",       "pictures",   PROMPT, "pd", paper=(3, 13)),
    System("SD",       "pictures",   PROMPT, "sd", paper=(2, 12)),
    System("CLIP-TTA", "clip words", PROMPT, paper=(2, 9)),
    System("CLAP-TTA", "clap words", SOUND_PROMPT, paper=(2, 10)),
)
# fmt: on
OURS = (  # bridges that the paper does not have: from words, and from pictures to the centres of training pictures
    System("linear", "pictures", PROMPT, "linear"),
    System("centres", "pictures", None, "retrieval"),
)
