"""What comes back by mail, and what an answer means: failures, complaints, automatic answers, and whose fault it is."""
