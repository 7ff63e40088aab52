from django.test import override_settings

IN_MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


def fresh_layer():
    """Return a context in which there is a new layer, whatever the settings name."""
    return override_settings(CHANNEL_LAYERS=IN_MEMORY)
