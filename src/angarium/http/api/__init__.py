"""What every interface over HTTP shares: endpoints, decoding, problems, the OpenAPI document, who asks."""
