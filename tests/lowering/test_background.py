"""Work in the background is done when its surroundings end, and its errors come up there."""

from __future__ import annotations

import threading

import pytest

from torchcc.lowering.loops.background import background, finish, in_background, pending


def test_outside_it_is_done_at_once():
    done = []
    in_background(lambda: done.append(threading.current_thread()))
    finish()
    assert done == [threading.current_thread()]


def test_in_order_and_before_the_end():
    done, may_go_on = [], threading.Event()
    with background():
        with background():
            in_background(may_go_on.wait)
            in_background(lambda: done.append(1))
        assert not done
        wait = pending()
        may_go_on.set()
        in_background(lambda: done.append(2))
        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join()
        assert done == [1, 2]
    assert done == [1, 2]


def test_errors():
    def wrong():
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"), background():
        in_background(wrong)
