"""The HTTP side: the API, live events, metrics, callbacks."""

from trunkline.web.api import create_app
from trunkline.web.callbacks import Callbacks
from trunkline.web.metrics import Metrics
from trunkline.web.services import Part, Verbs

__all__ = ["Callbacks", "Metrics", "Part", "Verbs", "create_app"]
