"""The substitution language of SparkPost and Momentum: expressions in the manner of Lua (sparkpost.md §3)."""
