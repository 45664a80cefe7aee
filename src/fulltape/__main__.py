"""`python -m fulltape` is the command line."""

from fulltape import cli

if __name__ == "__main__":
    cli.main()
