"""HTTP of the node: what its processes answer, and how a connection finds the process."""
