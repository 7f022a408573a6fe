"""Everything that runs a job. Usable with no web service at all."""
