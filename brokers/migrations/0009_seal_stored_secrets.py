"""Seals what the earlier version encrypted, each value for its account, broker and column.

What no key of CREDENTIAL_KEYS opens stays as it is: `rotate_credential_keys` carries it over once its key is back.
Backwards, what opens is encrypted as before.
"""

from collections.abc import Callable

from django.conf import settings
from django.db import migrations

from brokers.sealing import Place, SecretUnreadable, earlier_cipher, is_earlier, key_id, seal, unseal, unseal_earlier

_SECRETS = ("api_secret", "access_token")


def _store(apps, schema_editor, converted: Callable[[str, Place], str], key_id_then: str) -> None:
    accounts = apps.get_model("brokers", "BrokerConfiguration").objects.using(schema_editor.connection.alias)
    for account in accounts.select_for_update().order_by("pk"):
        values = {}
        for name in _SECRETS:
            try:
                values[name] = converted(getattr(account, name), Place(account.user_id, account.broker, name))
            except SecretUnreadable:
                continue
        changed = {name: value for name, value in values.items() if value != getattr(account, name)}
        if changed:
            accounts.filter(pk=account.pk).update(**changed, key_id=key_id_then)


def seal_stored(apps, schema_editor) -> None:
    keys = settings.CREDENTIAL_KEYS

    def sealed(stored: str, place: Place) -> str:
        return seal(unseal_earlier(stored, keys), place, keys[0]) if is_earlier(stored) else stored

    _store(apps, schema_editor, sealed, key_id(keys[0]))


def encrypt_as_before(apps, schema_editor) -> None:
    keys = settings.CREDENTIAL_KEYS

    def encrypted(stored: str, place: Place) -> str:
        if not stored or is_earlier(stored):
            return stored
        return earlier_cipher(keys).encrypt(unseal(stored, place, keys).encode()).decode()

    _store(apps, schema_editor, encrypted, "")


class Migration(migrations.Migration):
    dependencies = [("brokers", "0008_secrets_are_sealed_texts")]
    operations = [migrations.RunPython(seal_stored, encrypt_as_before)]
