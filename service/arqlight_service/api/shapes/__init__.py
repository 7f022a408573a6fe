"""What the API and the feed answer with, a resource a file. The documents are made of these."""
