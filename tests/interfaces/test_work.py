"""Whose folder a reproduction's is, and what of its settings may still change."""

import pytest

from clipsonic.errors import UserError
from clipsonic.interfaces.reproduce.work import Work


def page(**preset: object) -> dict:
    return {"preset": {"clips": 8, "swept": [1.0, 2.0], "swept_clips": 4} | preset, "data": "d"}


def test_what_is_swept_may_change_until_a_sweep_was_begun(tmp_path) -> None:
    work = Work(tmp_path / "work")
    work.claim(page())
    with work.timed("answers/ZS"):
        pass
    work.claim(page(swept_clips=2, swept=[1.0]))
    work.claim(page(swept_clips=3))
    with pytest.raises(UserError, match="another preset"):
        work.claim(page(clips=9))
    with work.timed("guidance/ZS"):
        pass
    work.claim(page(swept_clips=3))
    with pytest.raises(UserError, match="another preset"):
        work.claim(page(swept_clips=4))
