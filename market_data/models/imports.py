"""Files that people hand in, kept until they are old: any host's cluster can read them."""

from django.db import models
from django.db.models.functions import Now


class ImportedFile(models.Model):
    """A CSV file that was handed in, with the run that judged it and the one that wrote its rows."""

    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=40, help_text="what it holds: an entry of market_data.imports.kinds")
    content = models.BinaryField(help_text="as it was handed in")
    size = models.BigIntegerField(help_text="bytes")
    sha256 = models.CharField(max_length=64)
    uploaded_by = models.CharField(max_length=150)
    uploaded_at = models.DateTimeField(db_default=Now())
    check_run_id = models.CharField(max_length=64, blank=True, help_text="run that judged it")
    import_run_id = models.CharField(max_length=64, blank=True, help_text="run that wrote its rows")

    class Meta:
        db_table = "imported_files"
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.name
