import subprocess
import sys
from pathlib import Path

from helpers.videos import encode, numbered_frames

COUNT = 480
SECONDS = 120
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}


def test_damaged_copies_are_read_or_refused(tmp_path):
    """In a process of its own, with a bound on memory and time: a decoder that dies or hangs fails here, too."""
    for name, settings in {
        "a.mp4": {"options": {"g": "6"}},
        "b.mkv": {},
        "c.webm": {"codec": "libvpx-vp9"},
        "d.avi": {"codec": "mpeg4", "options": {"bf": "2"}},
        "e.ts": {},
        "f.gif": {"codec": "gif", "pix_fmt": "rgb8"},
        "g.mp4": {"options": {"g": "4"}, "container_options": FRAGMENTS},
        "h.mov": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
        "i.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
        "j.apng": {"codec": "apng", "pix_fmt": "rgba"},
        "k.flv": {"codec": "flv"},
        "l.mpg": {"codec": "mpeg2video"},
    }.items():
        encode(tmp_path / name, numbered_frames(8), **settings)
    command = [sys.executable, "-m", "helpers.video_fuzz", str(tmp_path), "0", str(COUNT)]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    read, refused = (int(part.split()[0]) for part in done.stdout.split(", "))
    assert read + refused == COUNT
    assert read > COUNT / 10
    assert refused > COUNT / 10
