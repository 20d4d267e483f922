"""`python -m stretto` is `stretto`."""

from stretto.cli.main import entry

if __name__ == "__main__":
    entry()
