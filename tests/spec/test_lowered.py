"""Steps as text."""

from stretto.spec.lowered import Collective, Exchange, Receive, Send, message, write_step
from stretto.spec.program import Compute, Vocabulary


def test_every_step_has_a_text():
    send, receive = Send(Compute("F", 3, 12), 4), Receive(Compute("I", 4, 7), 4)
    assert write_step(send) == "send F3.12 to 4"
    assert write_step(receive) == "receive I4.7 from 4"
    assert write_step(Exchange(send, receive)) == "send F3.12 to 4 and receive I4.7 from 4"
    assert Exchange(send, receive).peer == 4
    assert write_step(Collective("all-reduce", Vocabulary("S", 3), (0, 1))) == "all-reduce S3"
    assert write_step(Compute("W", 1, 2)) == "W1.2"


def test_a_gradients_message_has_one_name_whoever_makes_it():
    assert message(Compute("B", 3, 1)) == message(Compute("I", 3, 1, version=4)) != message(Compute("F", 3, 1))
