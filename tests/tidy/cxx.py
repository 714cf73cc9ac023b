"""Just enough reading of C++: text without comments and literals, includes, function extents."""
import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r'//[^\n]*'
    r'|/\*.*?\*/'
    r'|R"(?P<delim>[^()\s\\]{0,16})\(.*?\)(?P=delim)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",
    re.S)


def strip(text, keep_strings=False):
    """The text with comments (and literals) blanked; line breaks and columns stay."""
    def blank(match):
        token = match.group(0)
        if token[0] != "/" and (keep_strings or token == '""'):
            return token
        return re.sub(r"[^\n]", " ", token) if token[0] == "/" else _blank_literal(token)
    return _TOKEN.sub(blank, text)


def _blank_literal(token):
    if len(token) < 2:
        return token
    return token[0] + re.sub(r"[^\n]", " ", token[1:-1]) + token[-1]


@dataclass
class Include:
    line: int
    path: str
    quoted: bool


_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.M)


def includes(text):
    stripped = strip(text, keep_strings=True)
    return [Include(stripped.count("\n", 0, m.start()) + 1, m.group(1) or m.group(2),
                    m.group(1) is not None) for m in _INCLUDE.finditer(stripped)]


@dataclass
class Function:
    name: str
    line: int
    lines: int


_CONTAINER = re.compile(r"(inline\s+)?(namespace|class|struct|union|enum|extern)\b")
_PREFIX = re.compile(r"\s*((public|private|protected)\s*:|template\s*<[^{};()]*>|\[\[[^\]]*\]\])")
_NAME = re.compile(r"(operator\s*\S+|[~\w:]+)\s*\($")


def functions(text):
    """Every function body at namespace or class level, with its length in lines, header included.

    Relies on the formatter: a block has a space before its brace, a braced initialiser has none.
    """
    code = _blank_preprocessor(strip(text))
    found, stack, statement = [], [], 0
    for i, c in enumerate(code):
        if c == "{":
            stack.append((_kind(code, statement, i, stack), statement))
            if stack[-1][0] != "initializer":
                statement = i + 1
        elif c == "}" and stack:
            kind, start = stack.pop()
            if kind == "function":
                found.append(_extent(code, start, i))
            if kind != "initializer":
                statement = i + 1
        elif c == ";" and not (stack and stack[-1][0] == "initializer"):
            statement = i + 1
    return found


def _kind(code, start, brace, stack):
    outer = stack[-1][0] if stack else "container"
    if outer in ("function", "block"):
        return "block"
    head = code[_header_start(code, start):brace]
    last = head.rstrip()[-1:]
    if outer == "initializer" or (head and not head[-1].isspace()) or last in ("=", ",", "("):
        return "initializer"
    if _CONTAINER.match(head) or "(" not in head:
        return "container"
    return "function"


def _header_start(code, start):
    """Where a declaration begins, behind access specifiers, template heads and attributes."""
    while match := _PREFIX.match(code, start):
        start = match.end()
    while start < len(code) and code[start].isspace():
        start += 1
    return start


def _extent(code, start, end):
    first = _header_start(code, start)
    flat = " ".join(code[first:end].split())
    macro = re.match(r"(TEST\w*)\s*\(\s*(\w+)\s*,\s*(\w+)", flat)
    match = _NAME.search(flat[:flat.index("(") + 1])
    name = match.group(1) if match else flat[:30]
    if macro:
        name = f"{macro.group(2)}.{macro.group(3)}"
    return Function(name, code.count("\n", 0, first) + 1, code.count("\n", first, end) + 1)


def _blank_preprocessor(code):
    lines, continued = [], False
    for line in code.split("\n"):
        directive = continued or line.lstrip().startswith("#")
        continued = directive and line.endswith("\\")
        lines.append("" if directive else line)
    return "\n".join(lines)
