"""The task families that come with arqlight: the worker's half of each."""
