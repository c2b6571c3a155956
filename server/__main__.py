"""`python -m server` is `encore`."""

from server.cli import main

if __name__ == "__main__":
    main()
