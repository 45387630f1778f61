"""Uploaded files, in the database for some time so that a cluster on any host can read them."""

from django.db import models
from django.db.models.functions import Now


class ImportedFile(models.Model):
    """An uploaded CSV file, with the run that checked it and the one that imported it."""

    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=40, help_text="what it contains: an entry of market_data.imports.kinds")
    content = models.BinaryField(help_text="as uploaded")
    size = models.BigIntegerField(help_text="bytes")
    sha256 = models.CharField(max_length=64)
    uploaded_by = models.CharField(max_length=150)
    uploaded_at = models.DateTimeField(db_default=Now())
    check_run_id = models.CharField(max_length=64, blank=True, help_text="run that checked it")
    import_run_id = models.CharField(max_length=64, blank=True, help_text="run that imported it")

    class Meta:
        db_table = "imported_files"
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.name
