"""The workbook's machinery: labs that are laid out, checks that read evidence, grading."""

from autograder.lab import Lab

__all__ = ["Lab"]
