"""The command line: parse, call one stage or engine, print."""
