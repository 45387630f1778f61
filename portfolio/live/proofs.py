"""What a person proves again before real money trades.

A second factor is asked for here, and nowhere else, once the project lets one be enrolled; today there is none.
"""

from portfolio.models import User


def missing_proof(person: User, password: str) -> str:
    """Which proof a person does not give, as a sentence; empty when all are given."""
    if not person.check_password(password):
        return "The password is not right; type the one of your account on this site."
    return ""
