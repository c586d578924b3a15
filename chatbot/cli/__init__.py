"""What is typed in a shell: one file per command that does more than start the desk.

Nothing is imported here: `say` and `stop` answer before anything heavy is loaded.
"""
