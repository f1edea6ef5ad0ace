"""Who is logged in, where, and how that ends."""

from angarium.dashboard.page import PageRequest, PageView, SentTo
from angarium.identity.roles import ROLES
from angarium.sql.errors import NotFound


def show_me(asked: PageRequest) -> PageView:
    """Show the person and their sessions."""
    person = asked.session.person
    sessions = asked.call.store.sessions.of_person(person.id)
    values = {
        "title": person.name or person.email,
        "role": ROLES[person.role],
        "sessions": sessions,
        "current": asked.session.id,
    }
    return PageView("me.html", values, cli=f"angarium people show {person.email}")


def end_session(asked: PageRequest) -> SentTo:
    """End one of the person's own sessions."""
    number = asked.form.get("session", "")
    own = {
        str(session.id): session.id
        for session in asked.call.store.sessions.of_person(asked.session.person.id)
    }
    if number not in own:
        raise NotFound(f"session {number}")
    asked.call.store.sessions.end(own[number], actor=asked.call.actor)
    return SentTo("/me", "The session is ended")


def log_out(asked: PageRequest) -> SentTo:
    """End this session."""
    asked.call.store.sessions.end(asked.session.id, actor=asked.call.actor)
    return SentTo("/login", "You are logged out")
