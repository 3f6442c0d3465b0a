"""How people and programs ask the library: the command line. Nothing below this prints or parses arguments."""
