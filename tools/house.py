"""What the checks of this house know about its files: a small library for check-house.

It reads the tree and answers; it never prints and never changes anything.
"""

import ast
import os
import re
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run(*command):
    """The output of a program, started in the tree's root."""
    return subprocess.run(command, cwd=ROOT, check=True, text=True, capture_output=True).stdout


def have(program):
    return shutil.which(program) is not None


def list_files():
    """Every file of the tree by its name under the root, as Git or else the folders show it."""
    if os.path.exists(os.path.join(ROOT, ".git")) and have("git"):
        names = run("git", "ls-files", "-co", "--exclude-standard", "--deduplicate").split("\n")
        return sorted(n for n in names if n and os.path.exists(os.path.join(ROOT, n)))
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [f for f in folders if f not in ("build", "__pycache__", ".git")]
        found += [os.path.relpath(os.path.join(folder, n), ROOT) for n in names]
    return sorted(found)


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8", errors="replace") as file:
        return file.read()


def is_python(name):
    if name.endswith(".py"):
        return True
    if os.path.splitext(name)[1]:
        return False
    with open(os.path.join(ROOT, name), "rb") as file:
        first = file.readline(80)
    return first.startswith(b"#!") and b"python" in first


class Function:
    """A function's place, its length in lines and the text of each of its parameters."""

    def __init__(self, file, name, line, length, parameters):
        self.file, self.name, self.line = file, name, line
        self.length, self.parameters = length, parameters


def split_parameters(signature):
    """The parameters in "(int a, void (*f)(int, int))", cut at the outermost commas."""
    depth, parts = 0, [""]
    for character in signature.strip()[1:-1]:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    parts = [p.strip() for p in parts]
    return [] if parts in ([""], ["void"]) else parts


def table_lines(lines):
    """How many of a function's lines are rows of constant tables: data, not code."""
    count, inside = 0, False
    for line in lines:
        if not inside:
            inside = re.match(r"    static const\b(?!.*;$)", line) is not None
        if inside:
            count += 1
            inside = not line.startswith("    };")
    return count


def c_functions(files):
    """Every function defined in these C files, as universal-ctags sees them."""
    if not files:
        return []
    texts = {}
    text = run("ctags", "--languages=C", "--langmap=C:.c.h", "--kinds-C=f", "--fields=neS",
               "-f", "-", "--sort=no", *files)
    found = []
    for row in text.splitlines():
        name, file, rest = row.split("\t", 2)
        field = dict(part.split(":", 1) for part in rest.split("\t") if ":" in part)
        if "end" in field:
            line, end = int(field["line"]), int(field["end"])
            lines = texts.setdefault(file, read(file).split("\n"))[line - 1:end]
            found.append(Function(file, name, line, len(lines) - table_lines(lines),
                                  split_parameters(field.get("signature", "()"))))
    return found


def python_functions(file):
    """Every function of a Python file; `self` is no parameter."""
    found = []
    for node in ast.walk(ast.parse(read(file))):
        if isinstance(node, ast.FunctionDef):
            names = [a.arg for a in node.args.args + node.args.kwonlyargs if a.arg != "self"]
            found.append(Function(file, node.name, node.lineno,
                                  node.end_lineno - node.lineno + 1, names))
    return found


INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)


def includes(file):
    """Pairs: whether the include is in quotes (the house's own), and what it names."""
    return [(quote == '"', name) for quote, name in INCLUDE.findall(read(file))]


def plain_comments(text):
    """C text in which a sentence that a comment breaks over lines stands on one line."""
    return re.sub(r"\s*\n\s*\*?\s+", " ", text)


SECTION = r"appendix [A-Z](?:\.\d+)*|\d{1,2}(?:\.\d+)*"
# "RFC 5321 4.1.1.3", "RFC 5321 4.4, 6.3", "RFC 1939, 2449 8.1.2 and 2595".
CITATION = re.compile(rf"\bRFC (\d{{3,4}}\b(?:(?:,? and|,)? (?:\d{{4}}|{SECTION})(?![\w-]))*)")


def citations(text):
    """Pairs (RFC number, section or "") of everything cited in C text."""
    found = []
    for citation in CITATION.findall(plain_comments(text)):
        number = ""
        for word in re.findall(rf"\d{{3,4}}\b(?!\.)|{SECTION}", citation):
            if re.fullmatch(r"\d{3,4}", word):
                number = word
                found.append((number, ""))
            else:
                if found[-1] == (number, ""):
                    found.pop()
                found.append((number, word))
    return found


STORE_RULES = re.compile(r"\bstore rules? (\d+(?:(?:, | and | to )\d+)*)", re.I)
PAGE = re.compile(r"""(?<![\w./-])((?:[\w.-]+/)*[\w-]+\.md)\b(?:, "([^"]+)")?""")


def house_citations(text):
    """What a file says of the house's own pages: the numbers of the store rules that it cites, and
    pairs (page, title or "")."""
    text = re.sub(r"\s*\n\s*[*#]?\s+", " ", text)
    rules = {int(n) for cited in STORE_RULES.findall(text) for n in re.findall(r"\d+", cited)}
    return sorted(rules), sorted(set(PAGE.findall(text)))


def rows_of_files(page):
    """Of a page's tables whose first column is "file": the names there, without ".c" and ".h", and
    the names of C files that the other columns mention."""
    names, words = set(), set()
    for table in re.findall(r"^\| file \|.*\n\|---.*\n((?:\|.*\n)+)", page, re.M):
        for row in table.splitlines():
            first, rest = row[1:].split("|", 1)
            listed = re.sub(r"[()`,]", " ", first).split()
            names.update(re.sub(r"\.[ch]$", "", name) for name in listed)
            words.update(re.findall(r"\b(\w+)\.[ch]\b", rest))
    return names, words


OBJECT = re.compile(r"^[0-9a-f]+ .{7} *(\S+)\s+[0-9a-f]+ +(?:\.hidden +)?(\S+)$")


def writable_objects(library):
    """Pairs (member, name) of every variable that could be written to at run time."""
    member, found = "", []
    for row in run("objdump", "-t", library).splitlines():
        if ":" in row and "file format" in row:
            member = row.split(":", 1)[0]
        match = OBJECT.match(row)
        if match and re.match(r"(\.data(?!\.rel\.ro)|\.bss|\.tdata|\.tbss|\*COM\*)", match[1]):
            if match[2] not in (".data", ".bss", ".tdata", ".tbss", match[1]):
                found.append((member, match[2]))
    return found
