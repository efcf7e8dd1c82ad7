"""The server: an HTTP API, a web page, and a socket for the command line."""
