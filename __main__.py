"""`python -m torchcc`, and the `torchcc` command."""

from .cli.main import main

if __name__ == "__main__":
    main()
