"""The server: the command line's work over HTTP, a page for people, and a socket for the command line itself."""
