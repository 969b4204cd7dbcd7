"""The command line: one module for each command, each with ``declare(parser)`` and ``run(arguments) -> status``.

* ``app``: which command, and what becomes of errors
* ``options``: the options that commands share
* ``values``: texts of the command line into numbers, ranges, assignments
* ``terminal``: stdout, stderr, tables, progress
* ``files``: files that are asked for with ``-o``

Commands check what they are given before they import anything heavy: a mistake is answered at once.
"""
