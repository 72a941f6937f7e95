"""A token bucket: so many a second on average, so many at once. Pure; whoever uses it brings the time."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class TokenBucket:
    rate: float
    """Tokens a second."""
    size: float
    """Tokens it holds; full at first."""
    _tokens: float = field(init=False)
    _filled_at: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._tokens = self.size

    def take(self, now: float) -> float:
        """Take one, at `now` in seconds of any clock that never goes back. 0, or how long to wait: none was taken."""
        passed = 0.0 if self._filled_at is None else now - self._filled_at
        self._tokens, self._filled_at = min(self.size, self._tokens + passed * self.rate), now
        if self._tokens < 1:
            return (1 - self._tokens) / self.rate
        self._tokens -= 1
        return 0.0
