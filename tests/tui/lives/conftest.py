"""Real engines with a fast worker, as the engine's own tests have them."""

from tests.engine.conftest import fake_engine, start_fake_engine

__all__ = ["fake_engine", "start_fake_engine"]
