"""The command line: arguments in, one library call, its result as text."""
