"""What import-linter and ruff cannot name: rules on the syntax of the package."""

import ast

from tests.rules.source import GROUND_FLOOR, PACKAGE, ROOT, dotted, imported, loaded, modules, place, tree

MUTATORS = {
    *("add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "reverse"),
    *("setdefault", "sort", "update"),
}
UNPICKLERS = {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
VAGUE = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils", "experimental"}


def test_models_and_kernels_know_nothing_of_ranks():
    found = [
        place(path, node)
        for path in modules("ops", "models")
        for node in ast.walk(tree(path))
        if dotted(node).startswith("torch.distributed") or any("distributed" in name for name in imported(node))
    ]
    assert not found


def test_the_environment_is_read_in_one_file():
    found = [
        place(path, node)
        for path in modules()
        if path != PACKAGE / "spec" / "environment.py"
        for node in ast.walk(tree(path))
        if dotted(node) in ("os.environ", "os.environb", "os.getenv", "os.putenv")
        or {"os.environ", "os.getenv", "os.putenv"} & set(imported(node))
    ]
    assert not found


def test_nothing_is_pickled_or_unpickled():
    found = [
        place(path, node)
        for path in modules()
        for node in ast.walk(tree(path))
        if dotted(node) in ("torch.load", "torch.save")
        or (isinstance(node, ast.keyword) and node.arg == "allow_pickle" and getattr(node.value, "value", True))
        or any(name.split(".")[0] in UNPICKLERS for name in imported(node))
    ]
    assert not found


def test_no_state_at_module_level():
    """Constants may be dictionaries, but are named as constants and never changed; nothing is rebound."""
    found = [place(path, node) for path in modules() for node in _state(path)]
    assert not found


def _state(path):
    for node in tree(path).body:
        for name in _mutable_names(node):
            if not (name.isupper() or (name.startswith("__") and name.endswith("__"))):
                yield node
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Global) or (_changed(node).lstrip("_").isupper()):
            yield node


def _mutable_names(node):
    """The names that a statement binds to a list, dictionary, set or a call that makes one."""
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return []
    literals = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)
    makers = {"dict", "list", "set", "defaultdict", "Counter", "deque", "OrderedDict", "count", "local", "ContextVar"}
    value = node.value
    called = dotted(value.func).split(".")[-1] if isinstance(value, ast.Call) else ""
    if not isinstance(value, literals) and called not in makers:
        return []
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _changed(node):
    """The name whose content a node changes: ``X[...] = ``, ``del X[...]``, ``X.append(...)``."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        return dotted(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
        return dotted(node.func.value)
    return ""


def test_the_ground_floor_loads_numpy_only_when_it_is_needed():
    found = [
        place(path, node)
        for path in modules(*(room for room in GROUND_FLOOR if (PACKAGE / room).is_dir()))
        for node, name in loaded(path)
        if name.split(".")[0] == "numpy"
    ]
    assert not found


def test_functions_can_be_seen_whole():
    found = [
        place(path, node)
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno >= 60
    ]
    assert not found


def test_files_hold_one_idea():
    files = [*modules(), *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    long = {str(path.relative_to(ROOT)): n for path in files if (n := len(path.read_text().splitlines())) > 400}
    assert not long


def test_files_say_what_they_are():
    vague = [str(path.relative_to(ROOT)) for path in modules() if VAGUE & set(path.stem.split("_"))]
    assert not vague
