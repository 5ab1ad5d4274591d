"""A studio in a thread, for tests."""

from __future__ import annotations

import threading

from faceuv.studio import Studio, StudioServer


class Served:
    """A studio in a thread; :meth:`stop` ends it, :meth:`start` begins it again at the same port."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self.port = studio, 0
        self.start()

    def start(self) -> None:
        self.server = StudioServer(self.studio, port=self.port)
        self.port = self.server.port
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def address(self) -> str:
        return self.server.address
