"""What may stand at a cursor, told by live objects and static inference, without running them."""
