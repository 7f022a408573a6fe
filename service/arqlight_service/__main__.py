"""`python -m arqlight_service`: the `arqlight` command."""

from arqlight_service.cli.main import main

if __name__ == "__main__":
    main()
