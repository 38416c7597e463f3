"""Cost of a step of a method in words, for readers, where the code has an expression."""

from __future__ import annotations

import ast

OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "times"}


def cost_in_words(expression: str) -> str:
    """An expression for ``evaluations`` or ``products`` of ``MethodInfo``, as one would say it.

    >>> from invscore.methods.cost import cost_in_words
    >>> cost_in_words("2 if sampler in ('heun', 'pc') else 1")
    '2 with sampler heun or pc, else 1'
    """
    return _words(ast.parse(expression, mode="eval").body)


def _words(node: ast.expr) -> str:
    if isinstance(node, ast.IfExp):
        return f"{_words(node.body)} {_condition(node.test)}, else {_words(node.orelse)}"
    if isinstance(node, ast.BinOp):
        product = isinstance(node.op, ast.Mult)
        left, right = (
            f"({_words(part)})" if product and _is_compound(part) else _words(part)
            for part in (node.left, node.right)
        )
        return f"{left} {OPERATORS[type(node.op)]} {right}"
    return ast.unparse(node)


def _is_compound(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp | ast.IfExp)


def _condition(node: ast.expr) -> str:
    """Condition in words, on options that are one of several words or at most some number."""
    if isinstance(node, ast.Compare) and isinstance(node.left, ast.Name):
        against = ast.literal_eval(node.comparators[0])
        if isinstance(node.ops[0], ast.In):
            return f"with {node.left.id} {' or '.join(against)}"
        if isinstance(node.ops[0], ast.LtE):
            return f"for at most {against} {node.left.id}"
    raise ValueError(f"a cost must depend on words or on a largest number, got {ast.unparse(node)}")
