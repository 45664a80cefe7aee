"""Who may see the pages: the Host header is held against a list, and beyond the loopback a token is wanted."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Collection
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

COOKIE = "fulltape"
LOGIN = "/login"
OPEN = ("/healthz", "/readyz", "/static/", LOGIN)
"""Paths that need no token: they tell nothing of the data."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_LONGEST_FORM = 4_096
Next = Callable[[Request], Awaitable[Response]]


def digest(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


class Guard:
    """Lets requests through, or answers them. `hosts` are the names by which the pages may be asked for, without a port: a page of
    another name that leads to this machine (DNS rebinding) gets nothing. `token_digest` '' wants no token."""

    def __init__(self, hosts: Collection[str], token_digest: str, base: str) -> None:
        self._hosts, self._digest, self._base = frozenset(hosts), token_digest, base

    async def __call__(self, request: Request, call_next: Next) -> Response:
        """See `starlette.middleware`."""
        response = await self._answer(request, call_next)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if not request.url.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    async def _answer(self, request: Request, call_next: Next) -> Response:
        if _name(request.headers.get("host", "")) not in self._hosts:
            words = "This name is not in [web] hosts of the node's settings.\n"
            return PlainTextResponse(words, status_code=421)
        if request.method not in ("GET", "HEAD") and not (
            request.method == "POST" and request.url.path == LOGIN
        ):
            return PlainTextResponse(
                "These pages can only be read.\n", status_code=405, headers={"Allow": "GET, HEAD"}
            )
        if request.url.path == LOGIN and request.method == "POST":
            return await self._login(request)
        if not self._digest or request.url.path.startswith(OPEN) or self._known(request):
            return await call_next(request)
        if request.url.path.startswith("/api/") or request.url.path == "/metrics":
            words = "A token is wanted: Authorization: Bearer …\n"
            return PlainTextResponse(words, status_code=401, headers={"WWW-Authenticate": "Bearer"})
        return RedirectResponse(f"{self._base}{LOGIN}", status_code=303)

    def _known(self, request: Request) -> bool:
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        token = bearer if scheme.lower() == "bearer" else request.cookies.get(COOKIE, "")
        return bool(token) and hmac.compare_digest(digest(token), self._digest)

    async def _login(self, request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > _LONGEST_FORM:
                return PlainTextResponse("This is too long for a token.\n", status_code=413)
        token = parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0].strip()
        if not self._digest or not hmac.compare_digest(digest(token), self._digest):
            return RedirectResponse(f"{self._base}{LOGIN}?wrong=1", status_code=303)
        response = RedirectResponse(f"{self._base}/", status_code=303)
        secure = request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
        response.set_cookie(
            COOKIE,
            token,
            max_age=30 * 86_400,
            httponly=True,
            samesite="strict",
            secure=secure,
            path=self._base or "/",
        )
        return response


def _name(host: str) -> str:
    """The name of a Host header without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].lower()
