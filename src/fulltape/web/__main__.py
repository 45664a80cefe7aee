"""`python -m fulltape.web`: see `run.py`."""

from fulltape.web.run import main

if __name__ == "__main__":
    main()
