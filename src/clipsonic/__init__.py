"""clipsonic: sound for a word or a picture, learnt from unlabelled videos (CLIPSonic, arXiv 2306.09635)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipsonic.pipeline import CLIPSonicOutput, CLIPSonicPipeline

    __version__: str

__all__ = ["CLIPSonicOutput", "CLIPSonicPipeline", "__version__"]


def __getattr__(name: str) -> Any:
    """Imports only when something that needs it is asked for; torch and diffusers above all."""
    if name in ("CLIPSonicOutput", "CLIPSonicPipeline"):
        from clipsonic import pipeline

        return getattr(pipeline, name)
    if name == "__version__":
        from importlib.metadata import version  # a fifth of the time to start

        return version("clipsonic")
    raise AttributeError(f"module 'clipsonic' has no attribute '{name}'")


def __dir__() -> list[str]:
    """The public names, whether or not they were asked for yet."""
    return __all__
