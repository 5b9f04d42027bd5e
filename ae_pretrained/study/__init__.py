"""Does pretraining save labels? A grid of trainings, each with a record of its own, and what they say together."""
