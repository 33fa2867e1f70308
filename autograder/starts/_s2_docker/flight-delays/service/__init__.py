"""The service that predicts late flights."""
