"""A listening test on disk: what `create` decides, and `serve` and `report` read. Imports nothing heavy."""

from math import ceil
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from clipsonic.errors import UserError
from clipsonic.files import write_json
from clipsonic.interfaces.listen.assignment import CHECKS, QUESTIONS

PLAN, WELCOME, ANSWERS = "plan.json", "welcome.txt", "answers.sqlite"
CLIPS, PICTURES, SETUP = "clips", "pictures", "setup.flac"
READING_SECONDS, ANSWER_SECONDS = 60.0, 5.0  # of a rater who hears each clip once
PAGES = Path(__file__).parent / "pages"  # HTML, CSS, JS of the package


class Asked(BaseModel):
    """A prompt: words, a picture, or both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str  # in tables; raters do not see it
    text: str | None
    picture: str | None  # file in `pictures`


class Heard(BaseModel):
    """A clip and where it is from: what a rater must not learn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str  # its file is clips/NAME.flac
    prompt: int
    system: int
    source: str
    decibels: float  # by which it was raised


class Plan(BaseModel):
    """All of a test but its sounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clipsonic: str  # version
    id: str  # tells tests apart in a browser
    title: str  # raters see it
    seed: int
    systems: list[str]
    prompts: list[Asked]
    clips: list[Heard]
    trials: int  # clips a rater, without checks
    sample_rate: int
    lufs: float  # of every clip
    clip_seconds: float | None = None  # mean length; None in tests of earlier versions
    notes: list[str]  # what a reader of the results should know

    @property
    def minutes(self) -> int | None:
        """Return how long a rater takes to read, to hear every clip of both parts, and to answer."""
        if self.clip_seconds is None:
            return None
        heard = len(QUESTIONS) * (self.trials + CHECKS)
        return ceil((READING_SECONDS + heard * (self.clip_seconds + ANSWER_SECONDS)) / 60)

    def grid(self) -> list[list[str]]:
        """Names of the clips, [prompt][system]."""
        names = {(clip.prompt, clip.system): clip.name for clip in self.clips}
        return [
            [names[prompt, system] for system in range(len(self.systems))]
            for prompt in range(len(self.prompts))
        ]


def read_plan(test: Path) -> Plan:
    """The plan of a test.

    Raises:
        UserError: the folder is none, or its plan is broken.
    """
    path = test / PLAN
    try:
        return Plan.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{test} is no listening test; make one with: clipsonic listen create") from error
    except ValidationError as error:
        raise UserError(f"{path} is no plan of this version ({error.error_count()} mistakes)") from error


def write_plan(test: Path, plan: Plan) -> None:
    """The plan into the test's folder."""
    write_json(test / PLAN, plan.model_dump())
