"""What people may do, by their role."""

from pathlib import Path

import pytest

from angarium.identity.grants import GRANTS, NODE_GRANT
from angarium.identity.roles import CONTENT_GRANT, NO_ROLE, ROLES

PAGE = (Path(__file__).parents[2] / "docs/identity-cli.md").read_text()


@pytest.mark.parametrize("name", ROLES)
def test_every_role_is_told(name):
    assert f"| `{name}` | {ROLES[name].about} |" in PAGE


def test_roles_have_grants_that_there_are():
    for role in ROLES.values():
        assert role.grants <= GRANTS.keys() | {CONTENT_GRANT}


def test_only_the_operator_reaches_beyond_an_account():
    assert [name for name, role in ROLES.items() if NODE_GRANT in role.grants] == ["operator"]


def test_who_has_no_role_may_do_nothing():
    assert ROLES[NO_ROLE].grants == frozenset()


def test_only_owners_manage_people():
    assert [name for name, role in ROLES.items() if "users/manage" in role.grants] == ["owner", "operator"]
