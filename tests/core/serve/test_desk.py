"""Who gets the policy, and when: requests wait for their turn, and no reader keeps it."""

import threading

import pytest

from saferec_core.data.catalog import Catalog
from saferec_core.data.prompt_form import PromptForm
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.errors import ConfigError, RunError
from saferec_core.models.completions import Completion
from saferec_core.models.streaming import StreamedCompletion
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.recommendation.recommender import Recommender
from saferec_core.serve.desk import MOST_WAITING, BusyError, Desk
from saferec_plugins.parsers.title_year import TitleYearParser

RECORD = Record(prompt=[{"role": "user", "content": "Something funny"}])
LINES = ["Heat (1995)\n", "Saw (2004)\n"]


class Gated(Recommender):
    """Writes a line each time that it is allowed to."""

    def __init__(self):
        judge = Judge(Catalog([Title("Heat", 1995), Title("Saw", 2004)]))
        super().__init__(None, TitleYearParser(), judge, None, num_titles=2)
        object.__setattr__(self, "allowed", threading.Semaphore(0))
        object.__setattr__(self, "ended", threading.Semaphore(0))

    def stream(self, record):
        try:
            for line in LINES:
                self.allowed.acquire()
                yield line
            yield StreamedCompletion(Completion("".join(LINES), finished=True), 1, 4)
        finally:
            self.ended.release()


@pytest.fixture
def recommender():
    return Gated()


def test_a_line_can_be_read_before_the_next_one_is_written(recommender):
    pieces = Desk(recommender, "policy").watch(RECORD, guided=True)

    for line in LINES:
        recommender.allowed.release()
        assert next(pieces) == line  # would wait for ever if the list were written whole first
    judged = next(pieces)

    assert [title.title.name for title in judged.titles] == ["Heat", "Saw"]


def test_whoever_stops_reading_keeps_neither_the_turn_nor_a_place(recommender):
    desk = Desk(recommender, "policy")
    unread = [desk.stream(RECORD) for _ in range(MOST_WAITING + 1)]
    for stream in unread:
        recommender.allowed.release(2)
        next(stream)  # reads one line, is not closed, and is never read again
        assert recommender.ended.acquire(timeout=60)

    recommender.allowed.release(2)
    *_, whole = desk.stream(RECORD)

    assert whole.completion.text == "".join(LINES)


def test_closing_a_stream_ends_the_writing(recommender):
    stream = Desk(recommender, "policy").stream(RECORD)
    recommender.allowed.release()
    next(stream)
    stream.close()
    recommender.allowed.release()  # for the line that it may be about to write

    assert recommender.ended.acquire(timeout=60)


def test_more_requests_than_may_wait_are_turned_away_until_one_is_through(recommender):
    desk = Desk(recommender, "policy")
    streams = [desk.watch(RECORD, guided=True) for _ in range(MOST_WAITING)]
    asked = threading.Semaphore(0)
    take_place = desk._take_place

    def counted():
        take_place()
        asked.release()

    object.__setattr__(desk, "_take_place", counted)
    readers = [threading.Thread(target=list, args=(stream,)) for stream in streams]
    for reader in readers:
        reader.start()
    for _ in readers:
        assert asked.acquire(timeout=60)

    with pytest.raises(BusyError, match="wait already"):
        next(desk.stream(RECORD))
    recommender.allowed.release(2 * MOST_WAITING)
    for reader in readers:
        reader.join()
    recommender.allowed.release(2)
    assert len(list(desk.stream(RECORD))) == 3


def test_what_cannot_be_written_is_raised_where_it_is_read_and_gives_its_place_back(recommender):
    class Refusing(Gated):
        def stream(self, record):
            raise ConfigError("no titles")

    desk = Desk(Refusing(), "policy")

    for _ in range(MOST_WAITING + 1):
        with pytest.raises(ConfigError, match="no titles"):
            list(desk.stream(RECORD))


def test_a_reader_is_told_of_anything_that_ends_the_writing(recommender):
    class Leaving(Gated):
        def stream(self, record):
            yield "Heat"
            raise SystemExit("a plugin left")

    pieces = Desk(Leaving(), "policy").stream(RECORD)

    assert next(pieces) == "Heat"
    with pytest.raises(RunError, match="a plugin left"):
        next(pieces)


def test_a_list_is_judged_while_the_request_has_its_turn(recommender):
    recommender.allowed.release(2)
    desk = Desk(recommender, "policy")
    turn_was_taken = []
    judged = recommender.judged

    def noted(*arguments):
        turn_was_taken.append(desk._turn.locked())
        return judged(*arguments)

    object.__setattr__(recommender, "judged", noted)

    assert len(list(desk.watch(RECORD, guided=True))) == 3
    assert turn_was_taken == [True]


def test_the_page_names_what_users_of_the_domain_do_and_a_title_of_its_catalog(recommender):
    pytest.importorskip("fastapi", reason="needs saferec[serve]")
    from saferec_core.serve.app import app_of

    def page(*consumed):
        routes = app_of(Desk(recommender, "policy", *consumed), hosts=["*"]).routes
        return next(route for route in routes if route.path == "/").endpoint().body.decode()

    assert "Already played" in page("played")
    assert "such as “Heat (1995)”" in page("played")
    assert "Already seen" in page()


def test_wishes_and_conversations_begin_with_the_instruction_of_the_policy(recommender):
    object.__setattr__(recommender, "prompts", PromptForm("Be safe."))
    desk = Desk(recommender, "policy")
    instruction = {"role": "system", "content": "Be safe."}
    own = [{"role": "system", "content": "Be brief."}, *RECORD.prompt]

    assert desk.record("Something funny", [], []).prompt == [instruction, *RECORD.prompt]
    assert desk.conversation(RECORD.prompt, [], []).prompt == [instruction, *RECORD.prompt]
    assert desk.conversation(own, [], []).prompt == own
