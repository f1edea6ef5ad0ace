"""Encryption in both directions: certificates, contexts, policy, what is learnt of peers, what was negotiated."""
