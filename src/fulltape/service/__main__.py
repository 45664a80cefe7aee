"""`python -m fulltape.service FOLDER`: see `run.py`."""

from fulltape.service.run import main

if __name__ == "__main__":
    main()
