"""`python -m service`, and the `arqlight` command."""

import sys

from workers.errors import SettingsError


def main() -> None:
    """Run the command line. A setting that stops the bundled tasks from loading is one line, as any other."""
    try:
        from service.cli import main as run
    except SettingsError as error:
        sys.stderr.write(f"arqlight: {error}\n")
        sys.exit(2)
    run()


if __name__ == "__main__":
    main()
