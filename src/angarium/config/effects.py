"""What a configuration says and nothing will ever come of, though every part of it is right."""

from angarium.config.problems import ProblemList
from angarium.config.scopes import Scope, Setting, first_setting
from angarium.config.sites import is_pattern
from angarium.config.values import Gateway

_ROUTING = ("gateway", "routes")


def warn_of_hidden_domains(root: Scope, warnings: ProblemList) -> None:
    """Note each top-level domain whose options never hold, since all its mail queues under the name of a gateway.

    Nothing is said where bindings or groups have gateways of their own: then it depends on the mail.
    """
    if root.setting("outbound", "gateway") is None or _has_own_gateways(root):
        return
    for domain in root.inside("domain"):
        setting = _gateway_of(root, domain)
        gateway = setting.value
        if domain.at is None or not isinstance(gateway, Gateway) or not _is_hidden(root, domain, gateway):
            continue
        message = f'Domain "{domain.name}" has no effect: its mail queues under the name of the gateway {gateway.host}'
        hint = f'write its limits into Domain "{gateway.host}", or Gateway = none into it'
        warnings.add(domain.at, f"{message} ({setting.where})", hint)


def _gateway_of(root: Scope, domain: Scope) -> Setting:
    found = first_setting([*root.matching("domain", domain.name), root], "outbound", "gateway")
    assert found is not None, "the global scope has one"
    return found[0]


def _has_own_gateways(root: Scope) -> bool:
    bindings = (*root.inside("binding_group"), *root.inside("binding"))
    return any(scope.setting("outbound", "gateway") for each in bindings for scope in each.walk())


def _is_hidden(root: Scope, domain: Scope, gateway: Gateway) -> bool:
    """Whether *domain* sets something, and *gateway* takes its mail instead of routes, or of itself."""
    if is_pattern(domain.name) or gateway.host == domain.name:
        return False
    if any(scope.setting("outbound", "routes") for scope in (*root.matching("domain", domain.name), root)):
        return False
    return any(field not in _ROUTING for field in domain.settings.get("outbound", {}))
