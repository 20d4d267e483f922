"""Oldest turns go first, the system's message and the newest stay."""

from stretto.engine.history import fit


def _talk(*roles):
    return [{"role": role, "content": f"{role} {i}"} for i, role in enumerate(roles)]


def _fit(messages, limit):
    return fit(messages, len, limit)


def test_nothing_goes_while_there_is_room():
    messages = _talk("system", "user", "assistant", "user")
    assert _fit(messages, 4) == (messages, 0)
    assert len(messages) == 4


def test_turns_go_in_pairs():
    messages = _talk("system", "user", "assistant", "user", "assistant", "user")
    assert _fit(messages, 5) == ([messages[0], *messages[3:]], 2)
    assert _fit(messages, 3) == ([messages[0], messages[5]], 4)
    messages = _talk("user", "assistant", "tool", "assistant", "user")
    assert _fit(messages, 4) == ([messages[4]], 4)


def test_the_newest_message_stays_even_if_it_is_too_long():
    messages = _talk("system", "user", "assistant", "user")
    assert _fit(messages, 0) == ([messages[0], messages[3]], 2)
    assert _fit(messages[3:], 0) == (messages[3:], 0)
