"""`python -m clipsonic`: the command line."""

from clipsonic.interfaces.cli import main

if __name__ == "__main__":
    main()
