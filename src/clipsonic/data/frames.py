"""A video's track of pictures, and its decoded frames."""

from pathlib import Path
from typing import Any

import av
from PIL import Image

PICTURE_SIDE = 336  # pixels of the shorter side that are kept; the largest that a CLIP takes
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


def picture_track(container: Any) -> Any:
    """The first track of moving pictures, if there is one; the cover of a record is none."""
    cover = av.stream.Disposition.attached_pic
    return next((track for track in container.streams.video if not track.disposition & cover), None)


def as_picture(frame: Any) -> Image.Image:
    """A decoded frame => an upright picture, its shorter side at most 336 pixels."""
    scale = min(1.0, PICTURE_SIDE / max(1, min(frame.width, frame.height)))
    size = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    picture: Image.Image = frame.to_image(width=size[0], height=size[1])
    return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture  # a phone held upright


def seconds_of(frame: Any) -> float:
    """When a decoded frame is shown; some containers give only the time at which it is decoded."""
    if frame.time is not None:
        return float(frame.time)
    if frame.dts is not None and frame.time_base is not None:
        return float(frame.dts * frame.time_base)
    return 0.0
