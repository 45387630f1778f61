from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("portfolio", "0010_every_order_has_an_account")]

    operations = [
        migrations.AddField(
            "livepermission",
            "account_digest",
            models.CharField(
                db_default="", default="", help_text="SHA-256 of account and access: a change ends it", max_length=64
            ),
        ),
        migrations.AddField(
            "tradingaccount",
            "sell_authorisation",
            models.CharField(
                choices=[("standing", "Standing"), ("per_day", "Per day"), ("unknown", "Unknown")],
                db_default="unknown",
                default="unknown",
                help_text="whether shares can be sold without the owner, as the broker says",
                max_length=10,
            ),
        ),
        migrations.AddField(
            "tradingaccount",
            "sell_authorised_on",
            models.DateField(
                blank=True, help_text="day of the owner's last eDIS authorisation at the broker", null=True
            ),
        ),
    ]
