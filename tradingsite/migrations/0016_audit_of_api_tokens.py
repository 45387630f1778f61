from django.db import migrations

from tradingsite.audit.triggers import row_trigger, truncate_trigger

_DO = [row_trigger("api_tokens", ignored=("last_used_at",), secrets=("digest",)), truncate_trigger("api_tokens")]
_UNDO = ["DROP TRIGGER audit ON api_tokens", "DROP TRIGGER audit_truncate ON api_tokens"]


class Migration(migrations.Migration):
    dependencies = [("tradingsite", "0015_audit_of_second_factors"), ("portfolio", "0016_api_tokens")]
    operations = [migrations.RunSQL(_DO, _UNDO)]
