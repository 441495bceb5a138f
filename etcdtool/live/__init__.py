"""The online side: everything that talks to a running server."""
