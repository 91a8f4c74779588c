"""A crash in a child process: captured there, where its frames are alive, and read here."""
