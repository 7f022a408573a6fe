"""The API and the feed, described for programmes: OpenAPI 3.1 and AsyncAPI 3.0, made from the routes themselves."""
