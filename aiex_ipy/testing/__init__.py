"""For tests of aiex and of plugins: a loopback server and conformance suites."""
