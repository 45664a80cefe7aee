"""`python -m fulltape.browse`: see `run.py`."""

from fulltape.browse.run import main

if __name__ == "__main__":
    main()
