"""One file of candles, whoever wrote it: its form, its columns, its times, its figures, its name.

Whatever cannot be read for sure is refused, in a sentence that says what was found.
"""
