"""How many passwords this process hashed."""

from prometheus_client import REGISTRY


def hashes_made() -> float:
    value = REGISTRY.get_sample_value("memi_password_hashes_total")
    assert value is not None
    return value
