"""Serve progress, labs and help to JupyterLab, behind jupyter-server-proxy.

    python -m autograder.learner.serve /path/of/a/socket

It listens on a Unix socket in a folder that only its owner can open: no port, no password, and
nobody else on the machine reads along.  Jupyter's own log-in stands in front.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_unix_socket
from tornado.web import Application, RedirectHandler, RequestHandler

from autograder.learner import doctor, page
from autograder.learner.standing import standing
from autograder.paths import Course, UserError, find_course

PAGES = ("progress", "labs", "help")


class Page(RequestHandler):
    """One of the pages, made anew for every visit."""

    def initialize(self, render: Callable[[], str]) -> None:
        """Take the function that makes the page."""
        self.render_page = render

    async def get(self) -> None:
        """Answer with the page; making it must not hold up another one."""
        try:
            text = await asyncio.to_thread(self.render_page)
        except UserError as error:
            self.set_status(503)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(str(error))
            return
        self.set_header("Cache-Control", "no-store")
        self.finish(text)


def application(find: Callable[[], Course] = find_course) -> Application:
    """Return the pages as a web application; ``find`` is asked for the checkout at every visit."""
    makers = {
        "progress": lambda: page.progress_page(standing(find())),
        "labs": lambda: page.labs_page(standing(find())),
        "help": lambda: page.help_page(doctor.examine(find()), doctor.system()),
    }
    return Application(
        [(r"/?", RedirectHandler, {"url": "progress", "permanent": False})]
        + [(f"/{name}", Page, {"render": makers[name]}) for name in PAGES]
    )


async def _serve(socket: Path) -> None:
    server = HTTPServer(application())
    server.add_socket(bind_unix_socket(str(socket), mode=0o600))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
