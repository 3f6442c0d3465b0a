"""Raters take the test in a real browser: by pointer and by keyboard, through reloads, two tabs and a crash."""

import signal
import sqlite3
from pathlib import Path

import pytest

from clipsonic.interfaces.listen.assignment import Trial
from clipsonic.interfaces.listen.plan import ANSWERS
from clipsonic.interfaces.listen.store import Answer, Store


def answers(test: Path) -> tuple[list[Trial], list[Answer]]:
    """The first rater's trials, and what is stored."""
    store = Store(test)
    try:
        return store.raters()[0].trials, store.answers()
    finally:
        store.close()


def begin(page, link: str) -> None:
    page.goto(link)
    page.click("#agree")
    page.click("#setup")
    page.click("#begin:enabled")  # once the noise was played
    page.wait_for_selector("#trial:not([hidden])")


def hear(page) -> None:
    page.click("#play")
    page.wait_for_selector("#scale button:enabled")


def rate(page, rating: int) -> None:
    hear(page)
    page.click(f"#scale button:nth-child({rating})")
    page.wait_for_selector("#state:text('All answers are saved.')")


@pytest.mark.browser
def test_the_whole_test_on_a_phone(server, new_page, made_test) -> None:
    page = new_page()
    begin(page, server.link)
    assert page.get_attribute("#scale button:first-child", "disabled") is not None  # nothing was heard yet
    page.keyboard.press("3")
    assert "0 of 10" in page.inner_text("#progress")
    wanted, said = {}, iter([1, 2, 3, 4, 5] * 2)
    for number in range(10):
        part = page.inner_text("#part")
        assert part == f"Part {1 + number // 5} of 2, sound {1 + number % 5} of 5"
        assert page.is_visible("#prompt") == (number >= 5)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        rating = next(said)
        if page.is_visible("#instruction"):
            words = page.inner_text("#instruction")
            rating = int(words.split("answer ")[1][0])
        rate(page, rating)
        wanted[number] = rating
        if number in (2, 7):  # in the middle of each part: back on the first without an answer
            page.reload()
            page.wait_for_selector("#trial:not([hidden])")
        else:
            page.click("#next")
        page.wait_for_selector(f"#count:text-is('{number + 1} of 10')")
        if number < 9:
            page.wait_for_selector(f"#part:text('sound {1 + (number + 1) % 5} of')")
    page.wait_for_selector("#end:not([hidden])")
    trials, stored = answers(made_test)
    assert [answer.trial for answer in stored] == [trial.trial for trial in trials]
    assert [answer.rating for answer in stored] == list(wanted.values())
    assert all(answer.plays == 1 and answer.times == 1 for answer in stored)
    assert [answer.rating for answer, trial in zip(stored, trials, strict=True) if trial.kind == "check"] == [
        trial.answer for trial in trials if trial.kind == "check"
    ]
    page.click("#again")  # and changes the last answer
    rate(page, 5 if wanted[9] != 5 else 1)
    (*_, last) = answers(made_test)[1]
    assert (last.times, last.rating) == (2, 5 if wanted[9] != 5 else 1)


@pytest.mark.browser
def test_by_keyboard_alone(server, new_page, made_test) -> None:
    page = new_page(1440, 900)
    page.goto(server.link)
    page.wait_for_selector("#agree")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#setup")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#begin:enabled")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#trial:not([hidden])")
    for number in range(10):
        page.keyboard.press(" ")
        page.wait_for_selector("#scale button:enabled")
        page.keyboard.press(str(number % 5 + 1))
        page.wait_for_selector(f"#count:text-is('{number + 1} of 10')")
        if number == 3:  # back, heard once more by the same key, and on
            page.keyboard.press("ArrowLeft")
            assert "sound 3 of 5" in page.inner_text("#part")
            page.keyboard.press("ArrowRight")
        before = page.inner_text("#part")
        page.keyboard.press("ArrowRight")
        if number < 9:
            page.wait_for_selector(f"#part:not(:text-is('{before}'))")
    page.wait_for_selector("#end:not([hidden])")
    assert [answer.rating for answer in answers(made_test)[1]] == [1, 2, 3, 4, 5] * 2


@pytest.mark.browser
def test_a_killed_server_loses_nothing(server, new_page, made_test) -> None:
    page = new_page()
    begin(page, server.link)
    rate(page, 2)
    page.click("#next")
    hear(page)
    page.click("#next")
    hear(page)
    assert server.end(signal.SIGKILL) == -signal.SIGKILL
    page.click("#scale button:nth-child(5)")
    page.wait_for_selector("#state:text('Not saved yet')")
    server.start()
    page.wait_for_selector("#state:text('All answers are saved.')")
    first, second = answers(made_test)[1]
    assert (first.trial, first.rating, first.times) == ("1-001", 2, 1)
    assert (second.trial, second.rating, second.times) == ("1-003", 5, 1)
    page.reload()
    page.wait_for_selector("#trial:not([hidden])")
    assert "sound 2 of 5" in page.inner_text("#part") and "2 of 10" in page.inner_text("#progress")


@pytest.mark.browser
def test_what_a_closed_tab_had_not_sent_is_sent_later(server, new_page, made_test) -> None:
    page = new_page()
    begin(page, server.link)
    hear(page)
    page.route("**/api/trials/*", lambda route: route.abort())
    page.click("#scale button:nth-child(4)")
    page.wait_for_selector("#state:text('Not saved yet')")
    context = page.context
    page.close()
    later = context.new_page()
    later.goto(server.link)
    later.wait_for_selector("#state:text('All answers are saved.')")
    assert [(answer.trial, answer.rating) for answer in answers(made_test)[1]] == [("1-001", 4)]


@pytest.mark.browser
def test_two_tabs_are_one_rater_and_the_later_answer_wins(server, new_page, made_test) -> None:
    one = new_page()
    begin(one, server.link)
    two = one.context.new_page()
    two.goto(server.link)
    two.wait_for_selector("#volume:not([hidden])")
    two.click("#setup")
    two.click("#begin:enabled")
    rate(one, 2)
    rate(two, 4)
    (answer,) = answers(made_test)[1]
    assert (answer.rating, answer.times) == (4, 2)
    one.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    one.wait_for_selector("#scale button:nth-child(4)[aria-pressed=true]")
    one.dblclick("#scale button:nth-child(1)")
    one.wait_for_selector("#state:text('All answers are saved.')")
    assert answers(made_test)[1][0].rating == 1
    store = Store(made_test)
    assert len(store.raters()) == 1
    store.close()


@pytest.mark.browser
def test_the_link_of_a_rater_goes_on_elsewhere(server, new_page, made_test) -> None:
    page = new_page()
    begin(page, server.link)
    rate(page, 3)
    link = page.text_content("#link")
    elsewhere = new_page()
    elsewhere.goto(link)
    elsewhere.wait_for_selector("#trial:not([hidden])")
    assert "1 of 10" in elsewhere.inner_text("#progress") and "rater" not in elsewhere.url


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.slow
def test_the_server_ends_when_told(server, how) -> None:
    code = server.end(how)
    assert code == 130
    with sqlite3.connect(server.folder / ANSWERS) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
