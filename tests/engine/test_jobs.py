"""How a request's words reach whoever waits: the first at once, later ones in batches, all in
order."""

import asyncio
import threading
from concurrent.futures import Future

from hypothesis import given
from hypothesis import strategies as st

from aiex_ipy.engine.jobs import Job
from aiex_ipy.operations.base import Note, Speaking, Text

FOR_EVER_S = 3600.0
SPEAKING = Speaking(provider="scripted", model="m", note="")
WORDS = [Text(f"word{number} ") for number in range(100)]


def on_a_loop(work):
    """Run `work()` where `Job.put` belongs: on a running loop."""

    async def run():
        return work()

    return asyncio.run(run())


def started(hold_s=FOR_EVER_S):
    """A job, the future that ends it, and the list of what its listener saw waiting each time."""
    job, future, seen = Job(hold_s=hold_s), Future(), []
    job.started(future)
    job.listen(lambda: seen.append(job.poll(0)))
    seen.clear()
    return job, future, seen


def test_the_first_words_are_handed_over_at_once_and_later_ones_together():
    """Nobody is woken by the words after the first until their time has come, or the end."""
    job, future, seen = started()

    def work():
        for update in (SPEAKING, *WORDS):
            job.put(update)
        assert seen == [([SPEAKING], False), (WORDS[:1], False)]
        future.set_result("whole")
        assert seen[2:] == [(WORDS[1:], True)]

    on_a_loop(work)


def test_what_is_no_words_is_handed_over_at_once_with_the_words_before_it():
    """A note in the middle of an answer does not wait, and does not overtake."""
    job, _, seen = started()
    note = Note("Asking once more.")

    def work():
        for update in (*WORDS[:3], note, *WORDS[3:5]):
            job.put(update)

    on_a_loop(work)
    assert seen == [(WORDS[:1], False), ([*WORDS[1:3], note], False)]


def test_held_words_are_handed_over_when_their_time_has_come():
    """A held batch needs neither more words nor the end."""
    job, _, seen = started(hold_s=0.01)

    async def run():
        for update in WORDS:
            job.put(update)
        while sum(len(updates) for updates, _ in seen) < len(WORDS):
            await asyncio.sleep(0.001)

    asyncio.run(asyncio.wait_for(run(), 30))
    assert [update for updates, _ in seen for update in updates] == WORDS


def test_words_after_a_pause_are_not_held():
    """A slow model's words are each shown as they come: there is nothing to batch."""
    job, _, seen = started(hold_s=0.0)
    on_a_loop(lambda: [job.put(update) for update in WORDS])
    assert [updates for updates, _ in seen] == [[update] for update in WORDS]


def test_nobody_is_called_after_the_end():
    """A batch that was held when the request was cancelled wakes no listener that has gone."""
    job, future, seen = started(hold_s=0.01)

    async def run():
        for update in WORDS:
            job.put(update)
        assert future.cancel()
        told = len(seen)
        await asyncio.sleep(0.05)
        assert len(seen) == told

    asyncio.run(run())


def test_a_cancel_wakes_who_waits_for_held_words():
    """Whoever waits in a thread is woken by the cancel, not by the time of a held batch."""
    job, future, _ = Job(hold_s=FOR_EVER_S), Future(), None
    job.started(future)
    got = []
    reader = threading.Thread(target=lambda: got.extend(job))
    reader.start()

    def work():
        for update in WORDS:
            job.put(update)
        job.cancel()

    on_a_loop(work)
    reader.join(30)
    assert not reader.is_alive()
    assert got == WORDS


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=60), st.booleans())
def test_nothing_is_lost_and_order_is_kept(steps, iterated):
    """Whatever is put between whatever looks, a reader gets every update once and in order."""
    updates = [
        Text(str(number)) if is_text else Note(str(number))
        for number, (is_text, _) in enumerate(steps)
    ]
    job, future = Job(hold_s=0.0005), Future()
    job.started(future)
    got = []

    async def work():
        for update, (_, pauses) in zip(updates, steps, strict=True):
            job.put(update)
            for _ in range(pauses):
                await asyncio.sleep(0)
        future.set_result(None)

    def read():
        ended = False
        while not ended:
            some, ended = job.poll(0.001)
            got.extend(some)

    reader = threading.Thread(target=(lambda: got.extend(job)) if iterated else read)
    reader.start()
    asyncio.run(work())
    reader.join(30)
    assert not reader.is_alive()
    assert got == updates
