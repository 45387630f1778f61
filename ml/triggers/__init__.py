"""When no picks are published: rules with limits that the operator sets, and tonight's figures beside them."""
