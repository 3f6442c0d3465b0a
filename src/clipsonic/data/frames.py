"""A video's track of pictures, and its decoded frames."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from PIL import Image

PICTURE_SIDE = 336  # pixels of the shorter side that are kept; the largest that a CLIP takes
WIDEST_PIXEL = 16  # times its height; more is damage
# Containers that hold what they show. Playlists are none: they would make us read other files, or the network.
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,live_flv,asf,ogg,nut,mxf,rm,ivf,dv,gxf,wtv,swf,vob,"
    "m4v,h264,hevc,av1,obu,mpegvideo,mjpeg,gif,apng,y4m,yuv4mpegpipe,wav,w64,mp3,flac,aac,ac3,eac3,aiff,au,caf,amr,ape"
)


def open_film(path: Path, **more: str) -> Any:
    """Opens a media file: the file itself and nothing that it points to; `more` are ffmpeg's options."""
    # A whole path: ffmpeg would take a file called "http:a.mp4" for an address.
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"} | more
    return av.open(str(path.absolute()), metadata_errors="replace", container_options=options)


def sound_tracks(container: Any) -> list[Any]:
    """Return the tracks of sound that can be decoded."""
    return [track for track in container.streams.audio if track.codec_context is not None]


def picture_track(container: Any) -> Any:
    """The first track of moving pictures, if there is one; the cover of a record is none."""
    cover = av.stream.Disposition.attached_pic
    return next((track for track in container.streams.video if not track.disposition & cover), None)


def pixel_aspect(track: Any) -> float:
    """Return how much wider than high the pixels of a track are shown; 1 where that is not said or absurd."""
    aspect = track.sample_aspect_ratio or Fraction(1)
    return float(aspect) if 1 / WIDEST_PIXEL <= aspect <= WIDEST_PIXEL else 1.0


def as_picture(frame: Any, aspect: float = 1.0) -> Image.Image:
    """Return a decoded frame as it is shown, upright, its shorter side at most 336 pixels.

    Args:
        frame: of a track of pictures.
        aspect: of its pixels, as `pixel_aspect` gives it.
    """
    width, height = frame.width * max(1.0, aspect), frame.height * max(1.0, 1 / aspect)
    scale = min(1.0, PICTURE_SIDE / max(1, min(width, height)))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture: Image.Image = frame.to_image(width=size[0], height=size[1])
    return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture  # a phone held upright


def seconds_of(frame: Any) -> float:
    """When a decoded frame is shown; some containers give only the time at which it is decoded."""
    if frame.time is not None:
        return float(frame.time)
    if frame.dts is not None and frame.time_base is not None:
        return float(frame.dts * frame.time_base)
    return 0.0
