"""What can be changed in a module of the domain, found in its syntax tree: new code is covered without being named.

Each mutant replaces one piece of source text:

- ``cell``: a cell of a transition table leads to each other state, or is gone;
- ``entry``: a row of another table of states and events names another one, or is gone; a set loses a member;
- ``step``: a state or event that a decision names is another one;
- ``guard``: a condition always holds, never holds, or lacks one of its operands (stronger than negating it: what
  negates a guard fails every test that passes by, what drops it only the one that is about it);
- ``flag``: a literal ``True`` or ``False`` is the opposite;
- ``time``: a number, a delay, a deadline or a limit is ten times as much or a tenth, one of two summands, factors or
  bounds is gone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
LOOSE = (ast.BoolOp, ast.NamedExpr, ast.IfExp, ast.Lambda)
"""What needs parentheses as an operand of ``and`` and ``or``."""
LOGICAL_CALLS = ("any", "all", "bool", "isinstance")
LOGICAL_METHODS = ("startswith", "endswith", "isdisjoint", "issubset", "issuperset")
MODULE, GONE = "<module>", "(gone)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One planted mistake. ``function`` is a qualified name; ``lines`` are those that ``original`` stands on."""

    module: str
    path: Path
    function: str
    lines: range
    kind: str
    original: str
    mutated: str
    source: str

    @property
    def at_import(self) -> bool:
        """Whether it acts while its module is imported, so that no test can be told to run it."""
        return self.function == MODULE

    @property
    def where(self) -> str:
        return f"{self.module} {self.function}"

    def __str__(self) -> str:
        return f"{self.module}:{self.lines.start} {self.function}: {self.kind}: {self.original} -> {self.mutated}"


@dataclass(frozen=True)
class Vocabulary:
    """The enumerations of the domain by name, and which of them are states and events of a transition table."""

    members: Mapping[str, tuple[str, ...]]
    machines: frozenset[str]

    @classmethod
    def of(cls, trees: Iterable[ast.Module]) -> Vocabulary:
        members: dict[str, tuple[str, ...]] = {}
        machines: set[str] = set()
        for statement in (statement for tree in trees for statement in tree.body):
            if isinstance(statement, ast.ClassDef) and any(name_of(base).endswith("Enum") for base in statement.bases):
                members[statement.name] = tuple(
                    target.id
                    for line in statement.body
                    if isinstance(line, ast.Assign)
                    for target in line.targets
                    if isinstance(target, ast.Name)
                )
            elif isinstance(statement, ast.AnnAssign) and is_table(statement.annotation):
                machines |= {node.id for node in ast.walk(statement.annotation) if isinstance(node, ast.Name)}
        return cls(members, frozenset(machines & members.keys()))


def is_table(annotation: ast.expr) -> bool:
    return isinstance(annotation, ast.Subscript) and name_of(annotation.value) == "Table"


def name_of(node: ast.expr) -> str:
    """The last name of ``a`` or ``a.b``, else nothing."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def find(directory: Path) -> list[Mutant]:
    """Every mutant of the modules below ``directory``, in the order of the source."""
    sources = {path: path.read_text() for path in sorted(directory.rglob("*.py"))}
    trees = {path: ast.parse(source) for path, source in sources.items()}
    vocabulary = Vocabulary.of(trees.values())
    found: list[Mutant] = []
    for path, tree in trees.items():
        module = ".".join(path.relative_to(directory).with_suffix("").parts).removesuffix(".__init__")
        finder = Finder(module, path, sources[path], vocabulary)
        finder.visit(tree)
        found += finder.mutants()
    return found


class Finder(ast.NodeVisitor):
    """Walks one module and keeps what could be planted there."""

    def __init__(self, module: str, path: Path, source: str, vocabulary: Vocabulary) -> None:
        self.module, self.path, self.vocabulary = module, path, vocabulary
        self.source = source.encode()
        self.scope: list[str] = []
        self.functions = 0
        self.aliases: dict[str, str] = {}
        self.judged: set[ast.AST] = set()
        self.planted: list[tuple[str, str, ast.expr | ast.stmt, str, str, str]] = []

    def mutants(self) -> list[Mutant]:
        """What was found, each with the whole mutated source; the same change is made once."""
        found: dict[tuple[int, int, str], Mutant] = {}
        for function, kind, node, text, original, mutation in self.planted:
            start, end = self.span(node)
            mutated = b"".join((self.source[:start], text.encode(), self.source[end:])).decode()
            ast.parse(mutated)
            found.setdefault(
                (start, end, text),
                Mutant(
                    module=self.module, path=self.path, function=function, kind=kind, source=mutated,
                    lines=range(node.lineno, (node.end_lineno or node.lineno) + 1),
                    original=one_line(original), mutated=one_line(mutation),
                ),
            )  # fmt: skip
        return sorted(found.values(), key=lambda mutant: mutant.lines.start)

    @cached_property
    def line_starts(self) -> list[int]:
        starts = [0]
        for line in self.source.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        return starts

    def span(self, node: ast.expr | ast.stmt | ast.pattern) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self.line_starts[node.lineno - 1] + node.col_offset
        return start, self.line_starts[node.end_lineno - 1] + node.end_col_offset

    def text(self, node: ast.expr | ast.stmt | ast.pattern) -> str:
        start, end = self.span(node)
        return self.source[start:end].decode()

    def plant(
        self, kind: str, node: ast.expr | ast.stmt, *texts: str, shown: str | None = None, gone: bool = False
    ) -> None:
        """Each of ``texts`` in place of ``node``, which reads as ``shown``."""
        function = ".".join(self.scope) if self.functions else MODULE
        for text in texts:
            self.planted.append((function, kind, node, text, shown or self.text(node), GONE if gone else text))

    # Where things stand

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.scope.append(node.name)
        for statement in node.body:
            self.visit(statement)
        self.scope.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.scope.append(node.name)
        self.functions += 1
        for statement in node.body:
            self.visit(statement)
        self.functions -= 1
        self.scope.pop()

    def visit_Assign(self, node: ast.Assign) -> None:
        target = node.targets[0]
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):  # S, E = Status, Event
            names = zip(target.elts, node.value.elts, strict=True)
            self.aliases |= {name_of(alias): name_of(named) for alias, named in names}
        elif isinstance(node.value, ast.Name):
            self.aliases[name_of(target)] = node.value.id
        if not self.functions:
            self.assigned(node.value)
        self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is None:
            return
        if is_table(node.annotation):
            self.table(node.value)
            return
        if not self.functions:
            self.assigned(node.value)
        self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.op, ARITHMETIC) and not isinstance(node.value, ast.List | ast.ListComp | ast.JoinedStr):
            self.plant("time", node, "pass", gone=True)
        self.visit(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Words: nothing in them decides, and Python 3.11 does not know where their parts stand."""

    # Tables, sets, states and events

    def table(self, value: ast.expr) -> None:
        rows = next(node for node in ast.walk(value) if isinstance(node, ast.Dict))
        for state, row in zip(rows.keys, rows.values, strict=True):
            if isinstance(row, ast.Dict) and state is not None:
                self.cells(row, of=f"{self.text(state)} ")

    def cells(self, row: ast.Dict, *, of: str = "") -> None:
        """``of``: the state of a transition table whose row this is."""
        kind = "cell" if of else "entry"
        items = [
            f"{self.text(key)}: {self.text(value)}" if key else f"**{self.text(value)}"
            for key, value in zip(row.keys, row.values, strict=True)
        ]
        for at, (item, value) in enumerate(zip(items, row.values, strict=True)):
            named = self.others(value)
            self.plant(kind, value, *(named if of else named[:1]), shown=of + item)
            self.plant(kind, row, "{" + ", ".join(items[:at] + items[at + 1 :]) + "}", shown=of + item, gone=True)

    def others(self, node: ast.expr) -> list[str]:
        """The other members of the enumeration that ``node`` names one of, the next one first."""
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
            return []
        members = self.vocabulary.members.get(self.enumeration(node), ())
        if node.attr not in members:
            return []
        at = members.index(node.attr)
        return [f"{node.value.id}.{member}" for member in (*members[at + 1 :], *members[:at])]

    def enumeration(self, node: ast.Attribute) -> str:
        name = name_of(node.value)
        return self.aliases.get(name, name)

    def visit_Dict(self, node: ast.Dict) -> None:
        if any(self.others(value) for value in node.values):
            self.cells(node)
        for value in node.values:  # a key says what its value is about
            if not self.others(value):
                self.visit(value)

    def visit_Set(self, node: ast.Set) -> None:
        self.members(node, node.elts)

    def members(self, node: ast.Set | ast.Tuple | ast.List, elements: Sequence[ast.expr]) -> None:
        for gone in elements:
            left = ", ".join(self.text(element) for element in elements if element is not gone)
            empty = "set()" if isinstance(node, ast.Set) else "()"
            text = f"{{{left}}}" if isinstance(node, ast.Set) else f"({left},)"
            self.plant("entry", node, text if left else empty, shown=self.text(gone), gone=True)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if self.enumeration(node) in self.vocabulary.machines:
            self.plant("step", node, *self.others(node)[:1])
        self.visit(node.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)
        if self.functions and not isinstance(node.slice, ast.Slice | ast.Constant):
            self.visit(node.slice)

    # Guards

    def visit_If(self, node: ast.If) -> None:
        self.condition(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self.condition(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.condition(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self.condition(test)
        self.generic_visit(node)

    def visit_match_case(self, node: ast.match_case) -> None:
        if node.guard is not None:
            self.condition(node.guard)
        for statement in node.body:
            self.visit(statement)

    def condition(self, test: ast.expr) -> None:
        if test not in self.judged:
            self.judged.add(test)
            self.plant("guard", test, "True", "False")

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        if is_logical(node):
            self.condition(node)
        word = " and " if isinstance(node.op, ast.And) else " or "
        operands = [f"({self.text(v)})" if isinstance(v, LOOSE) else self.text(v) for v in node.values]
        for at in range(len(operands)):
            self.plant("guard", node, f"({word.join(operands[:at] + operands[at + 1 :])})")
        self.judged |= set(node.values)  # one that is forced is one that is dropped, or the whole forced
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self.condition(node)
            self.judged.add(node.operand)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        self.condition(node)
        self.visit(node.left)
        for operator, against in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, ast.In | ast.NotIn) and isinstance(against, ast.Tuple | ast.List | ast.Set):
                self.members(against, against.elts)
            elif not isinstance(against, ast.Attribute):  # the state compared with: that is the guard itself
                self.visit(against)

    def visit_Constant(self, node: ast.Constant) -> None:
        if not self.functions:
            return
        if isinstance(node.value, bool):
            self.plant("flag", node, str(not node.value))
        elif isinstance(node.value, int | float) and node.value not in (0, 1):
            self.plant("time", node, *scaled(node, self.text(node)))

    # Times, delays, limits

    def assigned(self, value: ast.expr) -> None:
        """The value of a constant, or a field's default."""
        if is_amount(value):
            self.plant("time", value, *scaled(value, self.text(value)))
            self.judged.add(value)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if not self.functions or not isinstance(node.op, ARITHMETIC) or is_text(node.left) or is_text(node.right):
            self.generic_visit(node)
            return
        self.plant("time", node, f"({self.text(node.left)})")
        if isinstance(node.op, ast.Add | ast.Mult):
            self.plant("time", node, f"({self.text(node.right)})")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = name_of(node.func)
        if is_logical(node):
            self.condition(node)
        elif name in ("min", "max") and len(node.args) > 1:
            self.plant("time", node, *(self.text(argument) for argument in node.args))
        elif name == "timedelta" and self.functions:
            self.plant("time", node, f"({self.text(node)} * 10)", f"({self.text(node)} / 10)")
            return
        for child in (node.func, *node.args, *(keyword.value for keyword in node.keywords)):
            self.visit(child)


def is_logical(node: ast.expr) -> bool:
    """Whether it is true or false for certain, as far as its form tells."""
    match node:
        case ast.Compare() | ast.UnaryOp(op=ast.Not()):
            return True
        case ast.BoolOp(values=values):
            return all(is_logical(value) for value in values)
        case ast.Call(func=ast.Name(id=name)):
            return name in LOGICAL_CALLS
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in LOGICAL_METHODS
    return False


def is_amount(node: ast.expr) -> bool:
    """A number that is not zero, arithmetic on numbers, or a timedelta."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, int | float) and not isinstance(value, bool) and value != 0
        case ast.BinOp(left=left, right=right):
            return (is_amount(left) or is_amount(right)) and not (is_text(left) or is_text(right))
        case ast.Call(func=ast.Name(id="timedelta")):
            return True
    return False


def is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr | ast.Tuple) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def scaled(node: ast.expr, text: str) -> Iterator[str]:
    whole = not any(
        isinstance(part, ast.Call | ast.Div) or (isinstance(part, ast.Constant) and isinstance(part.value, float))
        for part in ast.walk(node)
    )
    operand = text if isinstance(node, ast.Constant | ast.Call) else f"({text})"
    yield f"({operand} * 10)"
    yield f"({operand} // 10)" if whole else f"({operand} / 10)"


def one_line(text: str) -> str:
    return " ".join(text.split())
