"""The marketplaces that come with arqlight, a file each. docs/marketplaces.md says how one is written."""
