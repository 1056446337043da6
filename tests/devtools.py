"""A page in Chromium that a test can ask, press keys in, and look at: the DevTools protocol over a pipe."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import chromium


class Page:
    """One tab; `complaints` and `requests` collect what the page told the console and asked of the network."""

    def __init__(self, reader: int, writer: int) -> None:
        self.reader, self.writer, self.buffer, self.last = reader, writer, b"", 0
        self.session: str | None = None
        self.complaints: list[str] = []
        self.requests: list[str] = []

    def call(self, method: str, **params: Any) -> Any:
        """The answer to one command; what happens meanwhile is noted."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writer, json.dumps(message).encode() + b"\0")
        wanted = self.last
        while True:
            event = self._next(time.monotonic() + 60)
            if event.get("id") == wanted:
                assert "error" not in event, f"{method}: {event['error']}"
                return event["result"]

    def _next(self, until: float) -> Any:
        while b"\0" not in self.buffer:
            assert select.select([self.reader], [], [], max(0, until - time.monotonic()))[0], "no answer for a minute"
            self.buffer += os.read(self.reader, 1 << 20)
        message, _, self.buffer = self.buffer.partition(b"\0")
        event = json.loads(message)
        params = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"])[:2000])
        elif event.get("method") == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(json.dumps(params["args"])[:2000])
        elif event.get("method") == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(params["entry"]["text"])
        elif event.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        return event

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, f"{expression}: {answer['exceptionDetails']}"
        return answer["result"].get("value")

    def wait(self, expression: str, seconds: float = 20) -> None:
        until = time.monotonic() + seconds
        while not self.ask(f"!!({expression})"):
            assert time.monotonic() < until, f"never true: {expression}; {self.complaints}"
            time.sleep(0.01)

    def open(self, path: Path, state: str = "") -> None:
        """Loads the file and waits until the page says that all is drawn."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=path.as_uri() + state)
        self.wait("window.__explain && window.__explain.ready")

    def press(self, key: str, *, shift: bool = False) -> None:
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        given = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key], "modifiers": 8 if shift else 0}
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **given, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **given)

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def picture(self, target: Path) -> Path:
        target.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
        return target


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A browser of its own with one empty page; `folder` takes its files."""
    assert chromium.PROGRAM is not None
    there, writer = os.pipe()
    reader, back = os.pipe()

    def join() -> None:
        os.dup2(os.dup(there), 60)  # first far away: either pipe may stand where the browser looks for the other
        os.dup2(os.dup(back), 61)
        os.dup2(60, 3)
        os.dup2(61, 4)

    command = [chromium.PROGRAM, *chromium.FLAGS, f"--user-data-dir={folder / 'profile'}", "--remote-debugging-pipe"]
    with subprocess.Popen(command, preexec_fn=join, close_fds=False, stderr=subprocess.DEVNULL) as process:
        os.close(there)
        os.close(back)
        page = Page(reader, writer)
        try:
            target = page.call("Target.createTarget", url="about:blank")["targetId"]
            page.session = page.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                page.call(f"{domain}.enable")
            yield page
            page.session = None
            page.call("Browser.close")
            process.wait(20)
        finally:
            process.kill()
            os.close(reader)
            os.close(writer)
