"""Conformance classes: what every implementation of a protocol must keep, inherited by the tests of each."""
