"""What the configuration says of webhooks, as those take it who tell them."""

from angarium.config.model import Config
from angarium.fetch.fetcher import FetchSettings
from angarium.webhooks.deliverer import DelivererSettings


def fetch_settings(config: Config) -> FetchSettings:
    """Return how requests to webhooks are sent."""
    options = config.globals
    return FetchSettings(
        networks=options.fetch_networks,
        connect_s=options.fetch_connect_timeout,
        answer_s=options.webhook_timeout,
    )


def deliverer_settings(config: Config) -> DelivererSettings:
    """Return how what fails is tried again."""
    options = config.globals
    return DelivererSettings(options.webhook_retries, options.webhook_off_after, options.webhook_max_requests)
