"""The files that a run leaves, each stated once, for those who write them and those who read them."""
