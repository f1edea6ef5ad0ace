"""The pages as an application: whose session, may they, what it shows, and what a wrong request is told."""

import asyncio
import ipaddress
from collections.abc import Callable
from importlib import resources
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from angarium.core.bounded import Bounded
from angarium.dashboard import gate
from angarium.dashboard.page import DashboardPage, PageRequest, PageView, SentTo
from angarium.dashboard.render import HEADERS, render
from angarium.dashboard.table import PAGES, PREFIX, menu_for
from angarium.http.api.problem import HttpProblem
from angarium.http.manage.routes import ManagePorts
from angarium.identity.roles import ROLES
from angarium.identity.sessions import PageSession
from angarium.sql.errors import Conflict, Invalid, NotFound, StoreError

_MOST_FORM: Final = 64 * 1024
_FAILURES: Final = 5
_BLOCK_S: Final = 300.0
_STATUS: Final = {NotFound: 404, Invalid: 400, Conflict: 409}
_STATIC: Final = {"ui.css": "text/css; charset=utf-8"}


class DashboardPorts(NamedTuple):
    """What the pages work with. *manage* is what the manage API has; *is_host* says of a name, in lower case, whether
    they are served under it; *now* is the clock.
    """

    manage: ManagePorts
    is_host: Callable[[str], bool]
    now: Callable[[], float]


class SessionCaller(NamedTuple):
    """A person who is logged in, as an `http.api.caller.Caller`."""

    id: int
    name: str
    account: Any
    grants: frozenset[str]


def make_dashboard_routes(ports: DashboardPorts) -> list[BaseRoute]:
    """Return the pages as routes to be mounted at the top of an application."""
    dashboard = Dashboard(ports)
    return [Mount(PREFIX, app=dashboard.app())]


class Dashboard:
    """Answers requests for pages."""

    def __init__(self, ports: DashboardPorts) -> None:
        self._ports = ports
        self._failures: Bounded[str, tuple[int, float]] = Bounded(10_000)

    def app(self) -> Starlette:
        """Return the application, to be mounted at `PREFIX`."""
        routes = [
            Route("/login", self._login, methods=["GET", "POST"]),
            *(Route(f"/static/{name}", self._static) for name in _STATIC),
            *(Route(page.path, self._answering(page), methods=[page.method]) for page in PAGES),
        ]
        app = Starlette(
            routes=routes, exception_handlers={HTTPException: self._refused, Exception: self._fault}
        )
        app.router.redirect_slashes = False
        return app

    def _answering(self, page: DashboardPage) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            self._check_host(request)
            found = await self._session(request)
            if found is None:
                return self._to_login(request)
            session, secret = found
            form = await _form_of(request) if page.method == "POST" else {}
            if page.method == "POST" and not _is_meant(request, secret, form):
                raise HTTPException(
                    403, "this form is not of this session; load the page again and repeat it"
                )
            if page.grant is not None and page.grant not in ROLES[session.person.role].grants:
                raise HTTPException(404)
            asked = self._asked(request, session, form)
            return await self._shown(request, page, asked, secret)

        return answer

    async def _shown(
        self, request: Request, page: DashboardPage, asked: PageRequest, secret: str
    ) -> Response:
        try:
            shown = await asyncio.to_thread(page.view, asked)
        except (NotFound, Invalid, Conflict) as error:
            shown = _wrong(_STATUS[type(error)], str(error))
        except HttpProblem as problem:
            shown = _wrong(problem.status, str(problem))
        except StoreError as error:
            shown = _wrong(503, f"the store does not answer at the moment: {error}")
        if isinstance(shown, SentTo):
            return self._sent(request, shown)
        grants = ROLES[asked.session.person.role].grants
        body = render(
            shown.template,
            **shown.values,
            menu=list(menu_for(grants)),
            here=page.path,
            person=asked.session.person,
            account=asked.session.account_name,
            token=gate.form_token(secret),
            said=asked.query.get("said", ""),
            cli=shown.cli,
            api=shown.api,
            prefix=PREFIX,
            may=grants,
        )
        return _html(body, shown.status)

    def _sent(self, request: Request, to: SentTo) -> Response:
        joint = "&" if "?" in to.path else "?"
        path = f"{PREFIX}{to.path}" + (f"{joint}{urlencode({'said': to.said})}" if to.said else "")
        headers = {"Location": path}
        if to.path == "/login":
            headers["Set-Cookie"] = gate.set_cookie("", is_secure=_is_secure(request))
        return Response(status_code=303, headers=headers | HEADERS)

    def _asked(self, request: Request, session: PageSession, form: dict[str, str]) -> PageRequest:
        person = session.person
        caller = SessionCaller(
            person.id,
            f'person {person.id} "{person.email}"',
            self._ports.manage.store.accounts.get(person.account),
            ROLES[person.role].grants,
        )
        query = dict(request.query_params)
        call = self._ports.manage.call(
            caller, request.url.path, query, f'person:{person.id} "{person.email}"'
        )
        return PageRequest(call, session, dict(request.path_params), query, form)

    async def _session(self, request: Request) -> tuple[PageSession, str] | None:
        secret = gate.secret_in(request.headers.get("cookie", ""), is_secure=_is_secure(request))
        if not secret:
            return None
        now = self._ports.now()
        found = await asyncio.to_thread(self._ports.manage.store.sessions.find, secret, now)
        return None if found is None else (found, secret)

    def _is_for_us(self, request: Request) -> bool:
        """Whether it asks by one of our names: a page of another name could read the answer as its own, else."""
        return self._ports.is_host(gate.name_of(request.headers.get("host", "")))

    def _check_host(self, request: Request) -> None:
        if not self._is_for_us(request):
            raise HTTPException(404)

    def _to_login(self, request: Request) -> Response:
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        wanted = f"?next={quote(path, safe='')}" if request.method == "GET" else ""
        return Response(status_code=303, headers={"Location": f"{PREFIX}/login{wanted}", **HEADERS})

    async def _login(self, request: Request) -> Response:
        self._check_host(request)
        if not (_is_secure(request) or _is_here(request)):
            return self._login_page(
                request, "Over a network, log in by HTTPS: put a proxy with TLS before it.", 403
            )
        if link := request.query_params.get("link"):
            return await self._by_link(request, link)
        if request.method == "GET":
            return self._login_page(request)
        form = await _form_of(request)
        if not gate.is_of_ours(dict(request.headers)):
            raise HTTPException(403, "this form is not of this page; load it again")
        return await self._by_password(request, form)

    async def _by_link(self, request: Request, link: str) -> Response:
        begun = await asyncio.to_thread(self._ports.manage.store.sessions.use_link, link, **_where(request))
        if begun is None:
            said = "This link was used, or is too old. `angarium people link` makes another."
            return self._login_page(request, said, 403)
        return self._begun(request, begun, f"{PREFIX}/")

    async def _by_password(self, request: Request, form: dict[str, str]) -> Response:
        sessions, peer = self._ports.manage.store.sessions, _where(request)["peer"]
        names = (f"peer {peer}", f"name {form.get('email', '').casefold()[:320]}")
        if any(self._is_blocked(name) for name in names):
            return self._login_page(request, "Too many failed logins; try again in some minutes.", 429)
        person = await asyncio.to_thread(
            sessions.person_with, form.get("email", ""), form.get("password", "")
        )
        if person is None:
            for name in names:
                self._count(name)
            said = "E-mail address and password do not fit, or may not log in to the pages."
            return self._login_page(request, said, 403)
        begun = await asyncio.to_thread(lambda: sessions.begin(person, **_where(request)))
        return self._begun(request, begun, gate.local_path(form.get("next", ""), PREFIX))

    def _is_blocked(self, name: str) -> bool:
        times, until = self._failures.get(name) or (0, 0.0)
        return times >= _FAILURES and until > self._ports.now()

    def _count(self, name: str) -> None:
        times, until = self._failures.get(name) or (0, 0.0)
        now = self._ports.now()
        self._failures.put(name, (times + 1 if until > now else 1, now + _BLOCK_S))

    def _begun(self, request: Request, secret: str, path: str) -> Response:
        cookie = gate.set_cookie(secret, is_secure=_is_secure(request))
        return Response(status_code=303, headers={"Location": path, "Set-Cookie": cookie, **HEADERS})

    def _login_page(self, request: Request, problem: str = "", status: int = 200) -> Response:
        wanted = gate.local_path(request.query_params.get("next", ""), PREFIX)
        said = request.query_params.get("said", "")
        return _html(render("login.html", problem=problem, next=wanted, said=said, prefix=PREFIX), status)

    async def _static(self, request: Request) -> Response:
        self._check_host(request)
        name = request.url.path.rpartition("/")[2]
        body = resources.files("angarium.dashboard").joinpath("static", name).read_bytes()
        headers = {**HEADERS, "Cache-Control": "max-age=3600"}
        return Response(body, media_type=_STATIC[name], headers=headers)

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if not self._is_for_us(request):
            return PlainTextResponse("Not Found", 404)
        text = {404: "There is no such page, or it is not for you.", 405: "This is not asked so."}
        said = text.get(error.status_code, error.detail)
        return _html(
            render("bare.html", title=str(error.status_code), text=said, prefix=PREFIX), error.status_code
        )

    async def _fault(self, request: Request, error: Exception) -> Response:
        return _html(
            render("bare.html", title="A fault of the node", text="It is in the log.", prefix=PREFIX), 500
        )


def _wrong(status: int, text: str) -> PageView:
    return PageView("wrong.html", {"title": "That does not work", "text": text}, status)


def _html(body: str, status: int) -> Response:
    return Response(body, status, {**HEADERS, "Content-Type": "text/html; charset=utf-8"})


async def _form_of(request: Request) -> dict[str, str]:
    """Return the fields that were sent, of a bounded body."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_FORM:
            raise HTTPException(413, "this is too much for a form")
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=100)
    return dict(pairs)


def _is_meant(request: Request, secret: str, form: dict[str, str]) -> bool:
    token = form.get(gate.FORM_FIELD, "")
    return gate.is_of_ours(dict(request.headers)) and gate.is_form_token(secret, token)


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"


def _is_here(request: Request) -> bool:
    """Whether the client is on this machine."""
    return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback


def _where(request: Request) -> dict[str, str]:
    peer = request.client.host if request.client is not None else ""
    return {"peer": peer, "agent": request.headers.get("user-agent", "")}
