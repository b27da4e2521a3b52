"""``python -m saferec_cli``, for launchers such as torchrun."""

from saferec_cli.main import main

main()
