"""clipsonic: sound for a word or a picture, learnt from unlabelled videos (CLIPSonic, arXiv 2306.09635)."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipsonic.pipeline import CLIPSonicOutput, CLIPSonicPipeline

__version__ = version("clipsonic")
__all__ = ["CLIPSonicOutput", "CLIPSonicPipeline", "__version__"]


def __getattr__(name: str) -> Any:
    """Imports torch and diffusers only when something that needs them is asked for."""
    if name in ("CLIPSonicOutput", "CLIPSonicPipeline"):
        from clipsonic import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module 'clipsonic' has no attribute '{name}'")
