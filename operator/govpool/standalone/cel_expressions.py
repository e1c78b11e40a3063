"""CEL expressions: what the parser lacks is rewritten, what Kubernetes would not compile is refused.

The evaluator is the `common-expression-language` package. The optional syntax (`a.?b`, `a[?k]`) and
`size()` counting code points are bridged by rewriting them to functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cel as evaluator

from .cel_library import FUNCTIONS
from .objects import Obj
from .schema import INT_OR_STRING, PRESERVE

_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*)
    |(?P<string>[bBrR]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))
    |(?P<optional>\.\?)|(?P<index>\[\?)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<space>\s+)|(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_RESERVED = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
_TYPES = frozenset(
    [
        "int",
        "uint",
        "double",
        "bool",
        "string",
        "bytes",
        "list",
        "map",
        "null_type",
        "type",
        "timestamp",
        "duration",
        "dyn",
        "optional_type",
    ]
)
_NAMESPACES = frozenset({"math", "sets", "strings", "base64", "lists", "optional", "google"})
_NATIVE = frozenset(
    [
        "contains",
        "startsWith",
        "endsWith",
        "matches",
        "string",
        "double",
        "int",
        "uint",
        "bytes",
        "dyn",
        "type",
        "size",
        "timestamp",
        "duration",
        "has",
        "getFullYear",
        "getMonth",
        "getDayOfMonth",
        "getDate",
        "getDayOfYear",
        "getDayOfWeek",
        "getHours",
        "getMinutes",
        "getSeconds",
        "getMilliseconds",
        "of",
        "none",
        "ofNonZeroValue",
        "hasValue",
        "value",
        "orValue",
        "or",
        "zero",
    ]
)


class CelError(Exception):
    """An expression that does not compile, or whose evaluation failed; the message says why."""


_BUILTIN_NAMES = frozenset(name.rpartition(".")[2] for name in FUNCTIONS) | _NATIVE


@dataclass(slots=True)
class Token:
    """A piece of an expression's source."""

    kind: str
    text: str


def _tokens(source: str) -> list[Token]:
    return [Token(m.lastgroup or "other", m.group(0)) for m in _TOKEN.finditer(source)]


def tokens_of(source: str) -> list[Token]:
    """The tokens that mean something, in order."""
    return [token for token in _tokens(source) if token.kind not in ("space", "comment")]


def closing(tokens: Sequence[Token], start: int) -> int:
    """Return the index of the bracket that closes the one at `start`."""
    depth = 0
    for i in range(start, len(tokens)):
        text = tokens[i].text
        if text in ("[?", "[", "(", "{"):
            depth += 1
        elif text in ("]", ")", "}") and tokens[i].kind == "other":
            depth -= 1
            if depth == 0:
                return i
    return len(tokens) - 1


def _rewrite(source: str) -> str:
    """Turn optional syntax and `size` into function calls that the evaluator knows."""
    tokens = [t for t in _tokens(source) if t.kind != "comment"]
    for i, token in enumerate(tokens):
        after = next((t.text for t in tokens[i + 1 :] if t.kind != "space"), "")
        if token.kind == "name" and token.text == "size" and after == "(":
            token.text = "k8sSize"
        elif token.kind == "index":
            tokens[closing(tokens, i)].text = ")"
            token.text = ".optSelect("
        elif token.kind == "optional":
            _rewrite_selection(tokens, i)
    return "".join(t.text for t in tokens)


def _rewrite_selection(tokens: list[Token], i: int) -> None:
    """Rewrite `.?a` and the plain selections that follow it (`.?a.b` selects from the optional)."""
    while i + 1 < len(tokens) and tokens[i + 1].kind == "name":
        after = tokens[i + 2].text if i + 2 < len(tokens) else ""
        if tokens[i].kind != "optional" and after == "(":
            return
        tokens[i] = Token("done", ".")
        tokens[i + 1] = Token("done", f'optSelect("{tokens[i + 1].text}")')
        i += 2
        if i >= len(tokens) or tokens[i].text not in (".", ".?"):
            return


@dataclass(frozen=True)
class Expression:
    """A compiled expression. `functions` is what it calls, so that evaluation hands over only that."""

    source: str
    program: Any
    variables: frozenset[str]
    functions: Mapping[str, Callable[..., Any]]

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """Evaluate; raises CelError with the reason when it cannot be evaluated."""
        used = {name: variables[name] for name in self.variables if name in variables}
        if not self.functions:
            return self._execute(used)
        return self._execute(evaluator.Context(variables=used, functions=dict(self.functions)))

    def evaluate_in(self, context: evaluator.Context) -> Any:
        """Evaluate among others on the same values, which the evaluator took over once; raises CelError as
        :meth:`evaluate` does.
        """
        return self._execute(context)

    def _execute(self, context: Any) -> Any:
        try:
            return self.program.execute(context)
        except KeyError as exc:
            raise CelError(f"no such key: {exc.args[0] if exc.args else ''}") from exc
        except (TypeError, ValueError, RuntimeError, IndexError, ZeroDivisionError, AttributeError) as exc:
            raise CelError(str(exc).split(". CEL does not coerce", maxsplit=1)[0]) from exc


def _syntax(exc: Exception) -> str:
    lines = str(exc).splitlines()
    return lines[0].rpartition("ERROR: ")[2] if lines else "syntax error"


@lru_cache(maxsize=4096)
def compile_expression(source: str, known: frozenset[str]) -> Expression:
    """Compile an expression that may use the variables `known`; raises CelError when it does not compile."""
    if not source.strip():
        raise CelError("compilation failed: rule is not specified")
    try:
        program = evaluator.compile(_rewrite(source))
    except Exception as exc:  # the parser's own errors have no common class
        raise CelError(f"compilation failed: ERROR: {_syntax(exc)}") from exc
    bound = _bound_names(source)
    used = frozenset(program.variables())
    for name in sorted(used):
        if name not in known | bound | _TYPES | _NAMESPACES:
            raise CelError(
                f"compilation failed: ERROR: <input>: undeclared reference to '{name}' (in container '')"
            )
    names = [n for n in program.functions() if re.match(r"^[A-Za-z_]", n) and not n.startswith(("_", "@"))]
    for name in sorted(names):
        if name not in _BUILTIN_NAMES:
            raise CelError(
                f"compilation failed: ERROR: <input>: undeclared reference to '{name}' (in container '')"
            )
    wanted = {n: f for n, f in FUNCTIONS.items() if n.rpartition(".")[2] in names}
    return Expression(source, program, used & known, wanted)


_MACROS = frozenset({"all", "exists", "exists_one", "existsOne", "map", "filter"})


def _bound_names(source: str) -> frozenset[str]:
    """Return the names that macros bind, such as x in `self.all(x, x > 0)`."""
    tokens = tokens_of(source)
    return frozenset(
        tokens[i + 2].text
        for i in range(len(tokens) - 3)
        if tokens[i].text in _MACROS and tokens[i + 1].text == "(" and tokens[i + 2].kind == "name"
    )


def undefined_field(source: str, node: Obj, names: frozenset[str]) -> str:
    """Return the first field that is selected from one of `names` though the schema has none such, or ""."""
    tokens = tokens_of(source)
    for i, token in enumerate(tokens):
        selected = i > 0 and tokens[i - 1].text in (".", ".?")
        if token.kind == "name" and token.text in names and not selected:
            missing = _missing_step(tokens, i + 1, node)
            if missing:
                return missing
    return ""


def _missing_step(tokens: list[Token], i: int, node: Obj) -> str:
    """Follow `.a.b` down the schema until a call, an index or an open map ends what can be told."""
    while i + 1 < len(tokens) and tokens[i].text in (".", ".?") and tokens[i + 1].kind == "name":
        name = tokens[i + 1].text
        called = i + 2 < len(tokens) and tokens[i + 2].text == "("
        properties = {escape(k): v for k, v in (node.get("properties") or {}).items()}
        if called or isinstance(node.get("additionalProperties"), dict):
            return ""
        if name not in properties:
            return "" if node.get(PRESERVE) else name
        node = properties[name]
        if node.get(INT_OR_STRING) or not node.get("type"):
            return ""
        i += 2
    return ""


@lru_cache(maxsize=4096)
def escape(name: str) -> str:
    """Return a property name as CEL sees it (`a-b` is `a__dash__b`, `namespace` is `__namespace__`)."""
    if name in _RESERVED:
        return f"__{name}__"
    name = name.replace("__", "__underscores__")
    for char, word in ((".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")):
        name = name.replace(char, word)
    return name
