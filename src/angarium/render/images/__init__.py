"""Pictures that mail brings with it, hosted by the node: lifted out, kept, asked for by signed names."""
