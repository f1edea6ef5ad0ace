"""The manage API: accounts, servers, streams, people, keys, tokens, logins and sending domains."""
