"""Planes: arrays of two or more dimensions, whose values are predicted from their neighbours."""
