"""Who is told what was said while nothing may be kept."""

from __future__ import annotations

from trunkline.conversation.discretion import Asker, Discretion


class Story:
    """Discretion, and the time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.discretion = Discretion(lambda: self.now)

    def told(self, since: float) -> tuple[bool, bool]:
        """Whether it may be kept, and whether the brain is told, of what began then and ends now."""
        return not self.discretion.covers(since), not self.discretion.hides(since)


def test_what_began_before_the_end_of_a_pause_is_covered() -> None:
    story = Story()
    assert story.told(0.0) == (True, True)
    story.now = 1.0
    story.discretion.begin(Asker.OPERATOR)
    assert story.told(0.5) == (False, False), "it goes on into the pause"
    story.now = 5.0
    story.discretion.end(Asker.OPERATOR)
    story.now = 6.0
    assert (story.told(4.9), story.told(5.0)) == ((False, False), (True, True))


def test_a_brain_is_told_what_it_asked_to_be_told_alone() -> None:
    story = Story()
    story.discretion.begin(Asker.BRAIN)
    story.discretion.begin(Asker.OPERATOR)
    assert story.told(0.5) == (False, True)
    story.now = 2.0
    story.discretion.end(Asker.BRAIN)
    assert story.discretion.on, "the operator has not ended it"
    assert (story.told(1.0), story.told(2.0)) == ((False, True), (False, False))


def test_an_operator_ends_what_the_brain_began() -> None:
    story = Story()
    story.discretion.begin(Asker.BRAIN)
    story.now = 2.0
    story.discretion.end(Asker.OPERATOR)
    assert not story.discretion.on
    assert (story.told(1.0), story.told(2.0)) == ((False, True), (True, True))
    story.now = 3.0
    story.discretion.end(Asker.BRAIN)
    assert story.told(2.5) == (True, True), "what is over is not ended once more"
