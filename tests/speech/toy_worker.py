"""A worker whose requests say what it is to do; it tells a named pipe which ones it began."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from trunkline.errors import SpeechUnavailable
from trunkline.speech.worker_child import Handler, Head, Request, serve


def load(config: Head) -> Handler:
    if (broken := Path(config["broken"])).exists():
        if broken.read_text() == "refuse":
            raise SpeechUnavailable("The toy is broken.", remedy="Repair it.")
        sys.exit(7)
    begun = os.open(config["begun"], os.O_WRONLY)

    def handle(request: Request) -> tuple[Head, bytes]:
        what = request.head["do"]
        os.write(begun, f"{what}\n".encode())
        if what.startswith("work"):
            while True:
                request.check()
                threading.Event().wait(0.005)
        if what == "hang":
            threading.Event().wait(60)
        if what == "die":
            os._exit(3)
        if what == "die once":
            mark = Path(config["begun"]).with_name("died")
            if not mark.exists():
                mark.touch()
                os._exit(3)
        if what == "refuse":
            raise SpeechUnavailable("I won't.", remedy="Ask for something else.")
        sys.stdout.write("a library's chatter")
        sys.stdout.flush()
        return {"did": what}, request.body[::-1]

    return handle


if __name__ == "__main__":
    serve(load)
