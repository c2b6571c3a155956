"""What each call does, on plain values: no transport, no protobuf."""
