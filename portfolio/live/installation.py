"""Whether an installation may trade live at all: asked when permission is given, before each order, and at a deploy."""

from django.conf import settings


def refusals() -> list[str]:
    """Why nothing is traded live here, each a sentence with its remedy; empty where nothing stands in the way."""
    sentences = []
    if settings.DEBUG:
        sentences.append("DEBUG is on: switch it off.")
    if settings.PROVIDER_KIND != "real":
        sentences.append(
            f"The market is simulated (MARKET_DATA_PROVIDER={settings.MARKET_DATA_PROVIDER}): use a real one."
        )
    if _made_at_first_start() == settings.SECRET_KEY:
        sentences.append("SECRET_KEY is the one that was made at the first start: set one of your own.")
    if settings.DERIVED_CREDENTIAL_KEY in settings.CREDENTIAL_KEYS:
        sentences.append("CREDENTIAL_KEYS is not set: the secrets of brokers would be sealed by a derived key.")
    return sentences


def _made_at_first_start() -> str:
    """The key that development makes where none is set; empty where it made none."""
    try:
        return (settings.VAR_DIR / "secret_key").read_text()
    except OSError:
        return ""
