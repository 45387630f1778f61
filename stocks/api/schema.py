"""How views describe themselves in the OpenAPI schema."""

from drf_spectacular.openapi import AutoSchema


class DocumentedSchema(AutoSchema):
    """Takes an operation's summary from its docstring: what stands before the first semicolon."""

    def get_summary(self) -> str:
        return self._sentence().partition(";")[0].rstrip(".")

    def get_description(self) -> str:  # type: ignore[override]  # as the library itself does
        sentence = self._sentence()
        return sentence if ";" in sentence else ""

    def _sentence(self) -> str:
        return str(super().get_description())
