"""A real Chromium, spoken to by its DevTools protocol over pipes: only Python's standard library.

Commands go to the browser's file descriptor 3 and come back from 4, as JSON ended by a zero byte
(--remote-debugging-pipe).
"""

import base64
import json
import os
import select
import shutil
import struct
import subprocess
import tempfile
import time
import zlib

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser():
    """The path of a Chromium, or None. TQ_BROWSER names another one."""
    return os.environ.get("TQ_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    def __init__(self, patience=60):
        self.patience = patience

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="tq-browser-")
        take, self.to = os.pipe()
        self.come, give = os.pipe()
        # The shell puts the pipes where the browser wants them, whatever their numbers are here.
        flags = ["--headless=new", "--remote-debugging-pipe", "--disable-dev-shm-usage",
                 "--disable-gpu", "--no-first-run", "--disable-background-networking",
                 "--disable-extensions", "--hide-scrollbars", "--force-device-scale-factor=1",
                 f"--user-data-dir={self.folder}"] + (["--no-sandbox"] if os.geteuid() == 0 else [])
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", f'exec "$@" 3<&{take} 4>&{give}', "sh", find_browser(), *flags],
            pass_fds=(take, give), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={**os.environ, "HOME": self.folder})
        os.close(take)
        os.close(give)
        self.next_id, self.rest, self.events = 0, b"", []
        return self

    def __exit__(self, *_):
        try:
            self.send("Browser.close")
            self.process.wait(15)
        except (OSError, subprocess.TimeoutExpired, RuntimeError):
            self.process.kill()
            self.process.wait()
        os.close(self.to)
        os.close(self.come)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def receive(self, until):
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.come], [], [], max(0, until - time.monotonic()))
            piece = os.read(self.come, 1 << 20) if ready else b""
            if not piece:
                self.log.seek(0)
                said = self.log.read().decode(errors="replace")[-2000:]
                raise RuntimeError(f"the browser {'ended' if ready else 'is silent'}: {said}")
            self.rest += piece
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def send(self, method, session=None, **params):
        """Sends a command and returns its result; events that come meanwhile are kept."""
        self.next_id += 1
        message = {"id": self.next_id, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        until = time.monotonic() + self.patience
        while True:
            answer = self.receive(until)
            if answer.get("id") == self.next_id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def wait_for(self, method):
        """The first event of this kind, which may have come already."""
        until = time.monotonic() + self.patience
        while True:
            for event in self.events:
                if event["method"] == method:
                    return event
            event = self.receive(until)
            if "method" in event:
                self.events.append(event)

    def open(self, url, width=1280, height=900, dark=False, phone=False):
        return Tab(self, url, width, height, dark, phone)


class Tab:
    """A page that was loaded whole. `console` and `requests` are what it said and asked for."""

    def __init__(self, browser, url, width, height, dark, phone):
        self.browser = browser
        browser.events.clear()
        target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.send("Target.attachToTarget", targetId=target,
                                    flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=phone)
        self.send("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        browser.events.clear()
        self.send("Page.navigate", url=url)
        browser.wait_for("Page.loadEventFired")
        self.settle()

    def send(self, method, **params):
        return self.browser.send(method, session=self.session, **params)

    def value(self, expression):
        """The value of a JavaScript expression; a promise is waited for."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def settle(self):
        """Waits for two frames, after which observers have run."""
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame("
                   "() => setTimeout(done, 50))))")

    def events(self, method):
        return [e["params"] for e in self.browser.events if e["method"] == method]

    def errors(self):
        """What the console has of errors and warnings."""
        said = [e for e in self.events("Runtime.consoleAPICalled")
                if e["type"] in ("error", "warning", "assert")]
        return said + self.events("Runtime.exceptionThrown") + self.events("Log.entryAdded")

    def requests(self):
        return [e["request"]["url"] for e in self.events("Network.requestWillBeSent")]

    def screenshot(self, whole=False):
        return base64.b64decode(self.send("Page.captureScreenshot", format="png",
                                          captureBeyondViewport=whole)["data"])

    def pdf(self):
        return base64.b64decode(self.send("Page.printToPDF", printBackground=False)["data"])


def read_png(data):
    """Width, height and the pixels, as bytes of three or four, of an 8-bit PNG."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("no PNG")
    at, packed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
        elif kind == b"IDAT":
            packed += body
        at += 12 + size
    if depth != 8 or colour not in (2, 6):
        raise ValueError(f"a PNG of depth {depth} and colour type {colour}")
    step = 3 if colour == 2 else 4
    raw, stride, pixels = zlib.decompress(packed), width * step, []
    before = bytearray(stride)
    for y in range(height):
        filter_type = raw[y * (stride + 1)]
        row = bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride):
            left = row[i - step] if i >= step else 0
            up, corner = before[i], before[i - step] if i >= step else 0
            if filter_type == 1:
                row[i] = (row[i] + left) & 255
            elif filter_type == 2:
                row[i] = (row[i] + up) & 255
            elif filter_type == 3:
                row[i] = (row[i] + (left + up) // 2) & 255
            elif filter_type == 4:
                guess = left + up - corner
                near = min((left, up, corner), key=lambda v: abs(guess - v))
                row[i] = (row[i] + near) & 255
        pixels += [bytes(row[i:i + 3]) for i in range(0, stride, step)]
        before = row
    return width, height, pixels
