"""So many a second on average, so many at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.token_bucket import TokenBucket


def test_a_burst_then_the_rate() -> None:
    bucket = TokenBucket(rate=2, size=3)
    assert [bucket.take(10.0) for _ in range(3)] == [0, 0, 0]
    assert bucket.take(10.0) == pytest.approx(0.5)
    assert bucket.take(10.25) == pytest.approx(0.25)
    assert bucket.take(10.5) == 0
    assert bucket.take(10.5) > 0


@given(st.floats(0.1, 100), st.floats(1, 50), st.lists(st.floats(0, 2), max_size=200))
def test_never_more_than_the_rate_allows(rate: float, size: float, pauses: list[float]) -> None:
    bucket, now, taken = TokenBucket(rate, size), 0.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now) == 0
    assert taken <= size + now * rate + 1e-6


@given(st.floats(0.1, 100))
def test_whoever_waits_as_long_as_told_gets_one(rate: float) -> None:
    bucket = TokenBucket(rate, 1)
    assert bucket.take(0.0) == 0
    assert bucket.take(bucket.take(0.0) + 1e-6) == 0
