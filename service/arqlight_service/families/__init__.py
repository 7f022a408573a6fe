"""The task families that come with arqlight: the service's half of each."""
