"""The words of SparkPost and of Momentum, whose they were before."""
