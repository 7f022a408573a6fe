"""`python -m service`: the `arqlight` command."""

from service.cli import main

main()
