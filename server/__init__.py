"""The gRPC server: transport, store and command line around the core."""
