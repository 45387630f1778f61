"""Stores imported contract notes, each once."""

from datetime import date
from typing import Any

from django.db import IntegrityError, transaction

from brokers.files import trade_files
from brokers.files.contract_notes import ContractNote, compared
from brokers.files.csv_rows import CsvError
from brokers.models import ImportedNote


def record_note(user: Any, broker: str, session: date, note: ContractNote) -> ImportedNote:
    """Store a note of a person beside the lines computed from its fills.

    Raises
    ------
    ChargesError
        When no charges can be computed for it.
    CsvError
        When the person's note of this number is stored already; the stored one stays as it is.
    """
    lines = compared(broker, session, note)
    row = ImportedNote(
        user=user,
        broker=broker,
        session=session,
        number=note.number,
        fills=[
            {name: str(getattr(fill, name)) for name in trade_files.COLUMNS} | {"quantity": fill.quantity}
            for fill in note.fills
        ],
        stated={line.name: str(line.stated) for line in lines},
        computed={line.name: str(line.computed) for line in lines},
        differing=sum(line.difference != 0 for line in lines),
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise CsvError(
            f"The note {note.number} of {broker} of {session} is stored already; nothing changed."
        ) from error
    return row
