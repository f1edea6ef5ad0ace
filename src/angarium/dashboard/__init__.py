"""The pages: what somebody looks into who runs the node, or sends by it. All they show or do is of the manage API."""
