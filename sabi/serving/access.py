"""Who may use the office's page, and what every answer tells the browser to refuse."""

import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence

from fastapi import FastAPI, Request, Response
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import PlainTextResponse, RedirectResponse
from itsdangerous import BadSignature, TimestampSigner

from sabi.words.texts import LANGUAGES, Language, texts

ACCESS, INSPECTOR = "sabi_access", "sabi_inspector"  # cookies
DAYS = 30 * 24 * 3600  # seconds that they last
OPEN = "/healthz"  # to whoever reaches the server
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def guard(app: FastAPI, hosts: Sequence[str], token: str | None) -> None:
    """Let `app` answer only under the names `hosts`, to who came by a link with `token`, if there is one.

    What changes anything must come from a page of the same origin. `request.state.inspector` is
    the key of the browser, 32 hexadecimal digits, which a cookie keeps.
    """
    signer = TimestampSigner(secrets.token_bytes(32))

    @app.middleware("http")
    async def check(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        given = request.query_params.get("token")
        if token is not None and given is not None and hmac.compare_digest(given.encode(), token.encode()):
            # Without the token, so that it stays out of bookmarks and of what is read over a shoulder.
            entered = RedirectResponse("/", status_code=303)
            _set(entered, ACCESS, signer.sign("granted").decode())
            return entered
        if token is not None and request.url.path != OPEN and not _granted(signer, request):
            return PlainTextResponse(texts(language_of(request))["needs_link"], 403)
        if request.method not in ("GET", "HEAD") and not _same_origin(request):
            return PlainTextResponse("only this server's own page may do that", 403)
        known = re.fullmatch("[0-9a-f]{32}", request.cookies.get(INSPECTOR, ""))
        request.state.inspector = known.group() if known else secrets.token_hex(16)
        response = await call_next(request)
        if not known:
            _set(response, INSPECTOR, request.state.inspector)
        return response

    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)

    @app.middleware("http")  # the outermost: refusals have these, too
    async def add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers.update(HEADERS)
        return response


def language_of(request: Request) -> Language:
    """The language of ours that the browser's Accept-Language likes best, else English."""
    wishes = []
    for wish in request.headers.get("accept-language", "").split(","):
        name, _, quality = wish.partition(";")
        weight = re.fullmatch(r"\s*q=([01](?:\.\d*)?)\s*", quality)
        wishes.append((float(weight.group(1)) if weight else 1.0, name.strip().lower().split("-")[0]))
    wishes.sort(key=lambda wish: -wish[0])  # equals stay in the browser's order
    liked = [name for weight, name in wishes if weight > 0]
    return next((ours for name in liked for ours in LANGUAGES if ours == name), "en")


def _granted(signer: TimestampSigner, request: Request) -> bool:
    try:
        signer.unsign(request.cookies.get(ACCESS, ""), max_age=DAYS)
    except BadSignature:
        return False
    return True


def _same_origin(request: Request) -> bool:
    """Whether the browser says so; what sends neither header is no browser of today, nor our page."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    own = f"{request.url.scheme}://{request.headers.get('host')}"
    return (origin, site) != (None, None) and origin in (None, own) and site in (None, "same-origin")


def _set(response: Response, cookie: str, value: str) -> None:
    # Lax, not strict: a link in a mail would otherwise lead to a page without its own cookie.
    response.set_cookie(cookie, value, max_age=DAYS, httponly=True, samesite="lax")
