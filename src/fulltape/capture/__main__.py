"""`python -m fulltape.capture`: the capture process, as `fulltape capture` starts it."""

from fulltape.capture.run import main

if __name__ == "__main__":
    main()
