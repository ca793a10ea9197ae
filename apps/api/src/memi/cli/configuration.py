"""The configuration of a process, with all that it names read once, so that an operator hears at once what is wrong."""

from memi.auth.oauth_settings import configured_providers, redirects
from memi.intelligence import plugins
from memi.platform.keyring import load_key_ring
from memi.platform.settings import Settings, load_settings
from memi.platform.signing_keys import load_signing_keys


def settings_to_run() -> Settings:
    """Raises `ConfigurationError`, for keys, providers and plug-ins that a process could not start with too."""
    settings = load_settings()
    if settings.key_ring is not None or settings.key_ring_file is not None:
        load_key_ring(settings)
    load_signing_keys(settings)
    configured_providers(settings)
    redirects(settings)
    plugins.choose(settings)
    return settings
