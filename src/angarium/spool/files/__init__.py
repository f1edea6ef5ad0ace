"""The journal as files: segments of one size on a disk of this machine."""
