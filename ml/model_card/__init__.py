"""The model card: what pages, API and guide say of the model, each figure as it is stored."""
