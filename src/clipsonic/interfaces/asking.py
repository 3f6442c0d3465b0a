"""What is asked for: words, pictures, a video; a sound to go from; how it is drawn, and where it goes."""

from dataclasses import dataclass, field
from pathlib import Path

from clipsonic.config import CLIP_SECONDS
from clipsonic.data.pictures import open_picture
from clipsonic.errors import UserError
from clipsonic.interfaces.engine import Sampling
from clipsonic.interfaces.naming import (
    FILMS,
    SOUNDS,
    Replaces,
    check_free,
    check_output,
    file_name,
    free_names,
)
from clipsonic.interfaces.writing import Finish
from clipsonic.limits import MAX_SECONDS, MAX_STEPS, check_numbers, check_prompts, check_seeds

FOLLOW, MEAN = "follow", "mean"  # what to take of a video, besides a second to hold


@dataclass(frozen=True)
class Query:
    """What is asked for: texts, pictures and a video under weights, and what lies beside or beyond them."""

    texts: list[str]
    images: list[Path]
    video: Path | None = None
    weights: list[float] | None = None  # texts, pictures, the video; equal unless told
    negative: str | None = None  # guidance leads away from it
    to: str | None = None  # the other end of a way
    points: int = 5  # on that way, ends included
    bridge: str | None = None  # from words to pictures; the model's own choice, or a folder or hub id of one
    frames: str = FOLLOW  # of the video: its pictures over time, their mean, or the one shown at a second

    def check(self) -> None:
        """Refuses what cannot be asked, before anything is loaded.

        Raises:
            UserError: with what to ask instead.
        """
        parts = len(self.texts) + len(self.images) + (self.video is not None)
        if not parts:
            raise UserError(
                'ask with a text or with --image or --video FILE: clipsonic generate "a photo of a dog"'
            )
        check_prompts([*self.texts, *(each for each in (self.negative, self.to) if each is not None)])
        if self.weights is not None and len(self.weights) != parts:
            raise UserError(
                f"{len(self.weights)} weights for {parts} queries; give one each: texts, pictures, the video"
            )
        if self.to is not None and not 2 <= self.points <= 100:
            raise UserError(f"{self.points} points between two queries; they go from 2 to 100")
        if self.video is not None and self.to is not None:
            raise UserError("--to leads from texts and pictures, not from a video")
        if self.video is None and self.frames != FOLLOW:
            raise UserError("--frames is of a video; give one with --video")
        if self.frames not in (FOLLOW, MEAN):
            self.held_second()

    def held_second(self) -> float:
        """The second of the video whose picture is held.

        Raises:
            UserError: `frames` is none.
        """
        try:
            second = float(self.frames)
        except ValueError:
            second = -1.0
        if not 0 <= second < float("inf"):
            raise UserError(
                f"--frames {self.frames}: say follow, mean, or the second whose picture is to be held"
            )
        return second

    @property
    def title(self) -> str:
        """The query in a few words."""
        video = [self.video.stem] if self.video is not None else []
        words = " + ".join([*self.texts, *(image.stem for image in self.images), *video])
        return words if self.to is None else f"{words} to {self.to}"


@dataclass(frozen=True)
class Given:
    """A sound to go from."""

    path: Path
    strength: float = 1.0  # of its variation
    fill: tuple[float, float] | None = None  # a piece to make anew, seconds
    onward: bool = False  # it is kept whole, and goes on

    def check(self) -> None:
        """Refuses what cannot be.

        Raises:
            UserError: with what to do instead.
        """
        if not self.path.is_file():
            raise UserError(f"no sound {self.path}")
        if not 0 < self.strength <= 1:
            raise UserError(
                f"strength must be above 0 (hardly varied) and at most 1 (unlike the input), got {self.strength}"
            )


def given(onward: Path | None, base: Path | None, fill: str | None, strength: float) -> Given | None:
    """The options --continue, --from, --fill and --strength => the sound to go from.

    Raises:
        UserError: they do not go together, or the gap is none.
    """
    if onward is not None and (base is not None or fill is not None):
        raise UserError("--continue goes on from a sound, --from varies or fills one; use one of them")
    if fill is not None and base is None:
        raise UserError("--fill START:END is of a sound; name it with --from FILE")
    if onward is not None:
        return Given(onward, onward=True)
    if base is None:
        return None
    if fill is None:
        return Given(base, strength)
    try:
        begin, end = (float(edge) for edge in fill.split(":"))
    except ValueError as error:
        raise UserError(f"--fill {fill}: write it as START:END in seconds, such as 1.0:2.5") from error
    return Given(base, fill=(begin, end))


@dataclass(frozen=True)
class Asked:
    """A request, whole: what, how, and where to."""

    query: Query
    sampling: Sampling = field(default_factory=Sampling)
    given: Given | None = None
    finish: Finish = field(default_factory=Finish)
    output: Path | None = None  # named after the query unless told
    seed: int | None = None  # of the first clip; drawn unless told
    number: int = 1
    replaces: Replaces = "nothing"  # of files that have the name of the output

    def check(self) -> list[Path]:
        """Refuses what can be refused before anything is loaded => the files that will be written.

        Raises:
            UserError: with what to do instead.
        """
        query = self.query
        query.check()
        self.finish.check()
        sampling = self.sampling
        check_numbers(
            guidance_scale=sampling.guidance_scale,
            guidance_interval=sampling.guidance_interval,
            steps=1 if sampling.steps is None else sampling.steps,
            most_steps=MAX_STEPS,
            seconds=CLIP_SECONDS if sampling.seconds is None else sampling.seconds,
            clips=self.number,
            strength=1.0,
        )
        if query.negative is not None and self.sampling.guidance_scale <= 1:
            raise UserError(
                "--negative needs a --guidance-scale above 1: guidance is what leads away from it"
            )
        if self.seed is not None:
            check_seeds(self.seed, self.number)
        if self.given is not None and query.video is not None:
            raise UserError("a video brings its own length; vary or fill its sound in a second step")
        if query.video is not None:
            self._check_video(query.video)
        if self.given is not None:
            self.given.check()
        for image in query.images:
            self._check_picture(image)
        output = self.output or self._default_output()
        check_output(output, query.video)
        if query.video is not None and output.suffix.lower() in FILMS:
            from clipsonic.data.muxing import check_muxing

            check_muxing(query.video, self.finish.rate, output.suffix)
        clips = self.number * (1 if query.to is None else query.points)
        if self.output is None and self.replaces == "nothing":
            return free_names(output, clips)
        paths = [output]
        if clips != 1:
            paths = [output.with_stem(f"{output.stem}-{clip + 1}") for clip in range(clips)]
        for path in paths:
            check_free(path, self.replaces)
        inputs = [*query.images, *([query.video] if query.video is not None else [])]
        names = {name.resolve() for path in paths for name in (path, path.with_suffix(".png"))}
        for source in inputs:
            if source.resolve() in names:
                raise UserError(f"{source} would be written over; name another file with -o")
        return paths

    def _default_output(self) -> Path:
        query = self.query
        if query.video is None:
            return Path(f"{file_name(query.title)}.wav")
        ending = query.video.suffix if query.video.suffix.lower() in FILMS else ".mp4"
        return Path(f"{file_name(query.title)}-with-sound{ending}")

    def _check_picture(self, image: Path) -> None:
        try:
            open_picture(image)
        except UserError:
            if image.is_file() and is_video(image):
                raise UserError(f"{image} is a video; give it with --video") from None
            raise

    def _check_video(self, video: Path) -> None:
        from clipsonic.data.footage import Footage  # PyAV, for videos alone

        if not video.is_file():
            raise UserError(f"no video {video}")
        if is_still(video):
            raise UserError(f"{video} is a picture; give it with --image")
        Footage(video, longest=MAX_SECONDS, only=self.sampling.seconds).check()


def is_video(path: Path) -> bool:
    """Return whether a file that is no picture has moving pictures."""
    from clipsonic.data.footage import Footage

    try:
        Footage(path).check()
    except UserError:
        return False
    return True


def is_still(path: Path) -> bool:
    """Return whether a file is a single picture, and none that moves."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return not getattr(picture, "is_animated", False)
    except Exception:  # Pillow raises whatever its decoders do; it is no picture then
        return False


def check_many(like: Asked, folder: Path | None, ending: str) -> Path:
    """Refuses options that a file of prompts has for each row => the folder of the clips.

    Raises:
        UserError: with what to do instead.
    """
    query = like.query
    if query.texts or query.images or query.video or query.to or query.weights or like.given or like.output:
        raise UserError(
            "--prompts names what to ask for in its rows; say there what this command asks for besides"
        )
    if folder is None:
        raise UserError("--prompts needs the folder of the clips: --out FOLDER")
    if like.number != 1:
        raise UserError("--prompts makes a clip a row; repeat the row with other seeds instead of -n")
    if f".{ending}" not in SOUNDS:
        raise UserError(f"--format is {ending}; choose one of {', '.join(kind[1:] for kind in SOUNDS)}")
    return folder
