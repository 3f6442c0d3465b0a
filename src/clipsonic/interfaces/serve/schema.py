"""What goes in and out of the API, as its schema says."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from clipsonic.config import CLIP_SECONDS
from clipsonic.interfaces.serve.job import DONE, Job
from clipsonic.interfaces.serve.requests import Limits
from clipsonic.limits import MAX_GUIDANCE, MAX_SEED, MIN_SECONDS

FORMATS = {"wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg"}
Format = Literal["wav", "flac", "ogg"]


class Ask(BaseModel):
    """What to hear; pictures and a video come in a form, beside these fields."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    prompt: list[str] = []
    negative: str | None = None
    bridge: str | None = None
    guidance_scale: float = 1.5
    steps: int | None = None
    seconds: float | None = None
    seed: int | None = None
    number: int = 1
    weights: list[float] | None = None
    frames: Literal["follow", "mean"] = "follow"


def ask_of(limits: Limits, bridges: Sequence[str]) -> type[Ask]:
    """The same within the limits of a server, and over the bridges that its model has."""
    Text = Annotated[str, Field(min_length=1, max_length=limits.prompt_characters, pattern=r"\S")]
    Texts = Annotated[list[Text], Field(max_length=limits.prompts)]
    Bridge = Literal[tuple(bridges)]  # type: ignore[valid-type]  # known only when the model is

    class Asked(Ask):
        """What to hear; pictures and a video come in a form, beside these fields."""

        prompt: Annotated[Texts, BeforeValidator(_listed, json_schema_input_type=Texts | Text)] = Field(
            [], description="A text, or a list of texts that are mixed."
        )
        negative: Text | None = Field(
            None, description="What it should not sound like; needs a guidance scale above 1."
        )
        bridge: Bridge | None = Field(  # type: ignore[valid-type]
            None, description="From words to pictures; the server's choice unless told."
        )
        guidance_scale: float = Field(
            1.5, ge=0, le=MAX_GUIDANCE, description="How strictly to follow the query; 1 is no guidance."
        )
        steps: int | None = Field(
            None, ge=1, le=limits.steps, description="Sampling steps; the model's own number unless told."
        )
        seconds: float | None = Field(
            None,
            ge=MIN_SECONDS,
            le=limits.seconds,
            description=f"Length; {CLIP_SECONDS} or that of the video unless told.",
        )
        seed: int | None = Field(
            None, ge=0, le=MAX_SEED, description="The same seed gives the same sound; drawn unless told."
        )
        number: int = Field(
            1, ge=1, le=limits.candidates, description="How many clips; they take the seeds from `seed` on."
        )
        weights: list[Annotated[float, Field(ge=-1e6, le=1e6)]] | None = Field(
            None,
            max_length=limits.prompts + limits.pictures + 1,
            description="Of a mixture: one number each for texts, pictures and the video.",
        )
        frames: Literal["follow", "mean"] = Field(
            "follow", description="Of the video: follow its pictures, or take their mean."
        )

    Asked.__name__ = Asked.__qualname__ = "Ask"
    return Asked


def _listed(prompt: Any) -> Any:
    """One text as a list of one."""
    return [prompt] if isinstance(prompt, str) else prompt


class Clip(BaseModel):
    """Where one clip is."""

    seed: int
    seconds: float
    wav: str
    flac: str
    ogg: str
    page: str = Field(description="All it takes to make the clip again, as JSON.")


class Sound(BaseModel):
    """What has become of a request."""

    id: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    progress: float = Field(description="0 to 1.")
    ahead: int = Field(description="Requests that are made before it.")
    seconds_left: float = Field(description="Until it is done, estimated.")
    error: str | None = Field(description="Why it failed or was cancelled.")
    notes: list[str] = Field(
        description="What the encoder cannot read of the prompts, and the labels nearest to one that the model "
        "was not trained on; empty until it runs."
    )
    seed: int = Field(description="Of the first clip.")
    links: dict[str, str] = Field(description="`self`: this page, DELETE cancels; `events`: its changes.")
    clips: list[Clip] = Field(description="Empty until it is done.")


class Problem(BaseModel):
    """What is wrong, and what to do."""

    error: str


class RequestLimits(BaseModel):
    """What this server takes in one request."""

    min_seconds: float
    seconds: float = Field(description="Longest clip.")
    steps: int
    clips: int
    images: int = Field(description="0 if the model's encoder cannot embed images.")
    prompts: int
    prompt_characters: int
    upload_bytes: int


class About(BaseModel):
    """What the model and this server can do."""

    bridges: list[str]
    bridge: str = Field(description="Of requests that name none.")
    steps: int = Field(description="Sampling steps of requests that name none.")
    seconds: float = Field(description="Length of requests that name none.")
    labels: list[str] = Field(description="Sounds that the model was trained on, if it says so.")
    bands: list[float] = Field(description="Frequency in Hz at which each mel band's filter peaks.")
    limits: RequestLimits


class Health(BaseModel):
    """Whether requests are taken."""

    status: Literal["ok", "stopping"]
    clipsonic: str
    waiting: int
    bridges: list[str]


def sound(job: Job, prefix: str) -> Sound:
    """Return what the API says of a job.

    Args:
        prefix: path at which a proxy mounts the server, or "".
    """
    with job.desk.changed:  # so that all of it is of one moment
        here = f"{prefix}/v1/sounds/{job.id}"
        clips = [_clip(here, number, page) for number, (_, _, page) in enumerate(job.clips, start=1)]
        return Sound(
            id=job.id,
            state=job.state,
            progress=round(job.progress, 4),
            ahead=job.ahead,
            seconds_left=round(job.seconds_left, 2),
            error=job.error,
            notes=job.notes,
            seed=int(job.request.seed or 0),
            links={"self": here, "events": f"{here}/events"},
            clips=clips if job.state == DONE else [],
        )


def _clip(here: str, number: int, page: dict[str, Any]) -> Clip:
    files = {kind: f"{here}/clips/{number}.{kind}" for kind in FORMATS}
    return Clip(seed=page["seed"], seconds=page["seconds"], page=f"{here}/clips/{number}.json", **files)
