"""The processes that are there all the time: capture, and the pages."""

from __future__ import annotations

from fulltape.lake.layout import Layout
from fulltape.node.capture_process import CaptureProcess
from fulltape.service.config import ServiceConfig
from fulltape.service.sentences import Say
from fulltape.service.web_process import WebProcess


class StandingProcesses:
    """Capture and the pages, each where the settings want it."""

    def __init__(self, layout: Layout, say: Say) -> None:
        self._layout, self._say = layout, say
        self.capture: CaptureProcess | None = None
        self.web: WebProcess | None = None

    def configure(self, config: ServiceConfig) -> None:
        """Begin what the settings want, change what they want otherwise, end what they do not want."""
        if config.capture is None:
            self.stop_capture(config.stop_within)
        elif self.capture:
            self.capture.configure(config.capture)
        else:
            state = self._layout.capture_state(config.writer)
            self.capture = CaptureProcess(config.capture, self._say, state)
            self.capture.start()
        if config.web is None:
            self.stop_web()
        elif self.web:
            self.web.configure(config.web)
        else:
            self.web = WebProcess(config.web, self._say)

    def look(self) -> None:
        """Start again what has ended on its own."""
        if self.capture:
            self.capture.look()
        if self.web:
            self.web.look()

    def stop_capture(self, seconds: float) -> None:
        """End capture within so many seconds; what it has received is durable then."""
        if self.capture:
            self.capture.stop(seconds)
        self.capture = None

    def capture_ended(self, seconds: float, now: float) -> bool:
        """Ask capture to end, and whether it has; after so many seconds from the first time it is killed. Does not wait."""
        if self.capture is None:
            return True
        if not self.capture.end(seconds, now):
            return False
        self.capture = None
        return True

    def stop_web(self) -> None:
        """End the pages."""
        if self.web:
            self.web.stop()
        self.web = None
