"""`python -m arqlight_service`, and the `arqlight` command."""

import sys

from arqlight.errors import SettingsError


def main() -> None:
    """Run the command line. A setting that stops the bundled tasks from loading is one line, as any other."""
    try:
        from arqlight_service.cli.main import main as run
    except SettingsError as error:
        sys.stderr.write(f"arqlight: {error}\n")
        sys.exit(2)
    run()


if __name__ == "__main__":
    main()
