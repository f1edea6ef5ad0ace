"""How much happened: counted once, kept for long, and reported. All that adds up is kept as sums; what does not, is
said to be not measured.
"""
