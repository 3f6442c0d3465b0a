"""Sound for videos of yours: python -m benchmarks.real_videos FOLDER [--model mini] [--seconds 10].

Makes the sound of each video in the folder, or of its first seconds, by the command, into a folder that is thrown
away, and looks at the file with PyAV: are the packets of its pictures the video's, and does the sound fit them?
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import av

from clipsonic.data.footage import Footage
from clipsonic.data.frames import picture_track


def packets(path: Path) -> list[bytes]:
    """Those of the pictures, as they are stored."""
    with av.open(str(path), metadata_errors="replace") as container:
        return [bytes(packet) for packet in container.demux(picture_track(container)) if packet.size]


def times(path: Path, kind: str) -> list[tuple[float, float]]:
    """When each decoded frame begins and ends, seconds; of pictures both are the same."""
    with av.open(str(path)) as container:
        frames = container.decode(**{kind: 0})
        return [
            (frame.time, frame.time + (frame.samples / frame.sample_rate if kind == "audio" else 0))
            for frame in frames
        ]


def row(video: Path, model: str, seconds: float, folder: Path) -> str:
    """Makes the sound of a video => what is found."""
    out = folder / f"{video.stem}{video.suffix if video.suffix in ('.mp4', '.mov', '.webm') else '.mkv'}"
    words = ["generate", "--video", str(video), "-o", str(out), "--model", model, "--seed", "0"]
    footage = Footage(video, only=seconds)
    shots = sum(look.new_shot for look in footage)
    if footage.seconds >= seconds:
        words += ["--seconds", str(seconds)]
    done = subprocess.run(
        [sys.executable, "-m", "clipsonic.interfaces.cli", *words], capture_output=True, text=True
    )
    if done.returncode:
        return f"{video.name}: exit code {done.returncode}: {done.stderr.strip().splitlines()[-1]}"
    theirs, ours = packets(video), packets(out)
    same = (
        "the same" if ours == theirs[: len(ours)] else "stored otherwise"
    )  # a stream turned into a file's form
    shown, heard = times(out, "video"), times(out, "audio")
    return (
        f"{video.name}: {footage.seconds:.2f} s, {shots} shots; {len(ours)} of {len(theirs)} packets, {same}; "
        f"pictures {shown[0][0]:.3f} to {shown[-1][0]:.3f} s, sound {heard[0][0]:.3f} to {heard[-1][1]:.3f} s"
    )


def main() -> None:
    """Prints a row a video."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    for video in sorted(path for path in asked.folder.iterdir() if path.is_file()):
        with tempfile.TemporaryDirectory() as folder:
            print(row(video, asked.model, asked.seconds, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
