"""The pickle machine, with a budget: it builds plain values, runs nothing, and counts every step.

Python's own machine cannot be stopped: it hashes a key that a hundred bytes describe for minutes. `pickletools` reads
the opcodes, and describes each; those that only push what they carry are the most.
"""

import decimal
import pickletools
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from arqlight.jobs.budget import Budget, scalar
from arqlight.jobs.opaque import Opaque

_PUSHES = frozenset(
    opcode.name
    for opcode in pickletools.opcodes
    if opcode.arg is not None and opcode.stack_before == [] and len(opcode.stack_after) == 1
) - {"GET", "BINGET", "LONG_BINGET", "EXT1", "EXT2", "EXT4", "GLOBAL", "PERSID", "INST"}
_NEW: dict[str, Callable[[], Any]] = {
    "EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set, "EMPTY_TUPLE": tuple, "NONE": lambda: None,
    "NEWTRUE": lambda: True, "NEWFALSE": lambda: False,
}  # fmt: skip
_SCALARS_A_CALL = 16


class PickleMachine:
    """Reads one pickle.

    :param find_class: what stands for the class of a module and a name: a class that is plain, or an `Opaque`.
    """

    def __init__(self, raw: bytes, budget: Budget, find_class: Callable[[str, str], Any]) -> None:
        self._raw = raw
        self._budget = budget
        self._find_class = find_class
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The value. Hostile bytes may raise anything at all; OverBudget for what costs too much."""
        self._budget.admit(self._raw)
        for opcode, argument, _ in pickletools.genops(self._raw):
            self._budget.take()
            name = opcode.name
            if name in _PUSHES:
                self._stack.append(argument)
            elif new := _NEW.get(name):
                self._stack.append(new())
            else:
                _DO[name](self, argument)
        return self._stack[-1]

    def _mark(self, _: Any) -> None:
        self._marks.append(self._stack)
        self._stack = []

    def _since_mark(self) -> list[Any]:
        found, self._stack = self._stack, self._marks.pop()
        return found

    def _pop_some(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise ValueError("it takes more from the stack than there is")
        found = self._stack[-count:]
        del self._stack[-count:]
        return found

    def _pop(self, _: Any) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._since_mark()

    def _drop(self) -> None:
        self._since_mark()

    def _wrap(self, kind: Callable[[Iterable[Any]], Any], items: Iterable[Any]) -> None:
        self._stack.append(kind(items))

    def _get(self, place: int) -> None:
        self._stack.append(self._memo[place])

    def _put(self, place: int) -> None:
        if not 0 <= place <= len(self._raw):  # Python's own machine makes room for every place before it
            raise ValueError(f"it puts something at place {place} of its memo")
        self._memo[place] = self._stack[-1]

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _extend(self, items: list[Any]) -> None:
        into = self._stack[-1]
        if isinstance(into, list):
            into += items
        elif not isinstance(into, Opaque):
            raise ValueError(f"it appends to a {type(into).__name__}")

    def _set_items(self, items: list[Any]) -> None:
        into = self._stack[-1]
        if len(items) % 2:
            raise ValueError("it has a key without a value")
        if isinstance(into, dict):
            self._fill(into, zip(items[::2], items[1::2], strict=True))
        elif not isinstance(into, Opaque):
            raise ValueError(f"it sets an item of a {type(into).__name__}")

    def _add_items(self, _: Any) -> None:
        items = self._since_mark()
        into = self._stack[-1]
        if isinstance(into, set):
            into.update(self._hashed(items))
        elif not isinstance(into, Opaque):
            raise ValueError(f"it adds to a {type(into).__name__}")

    def _fill(self, into: dict[Any, Any], pairs: Iterable[Any]) -> None:
        for pair in pairs:
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise ValueError("a dict is made of pairs")
            self._budget.hash(pair[0])
            into[pair[0]] = pair[1]

    def _hashed(self, items: Iterable[Any]) -> Iterable[Any]:
        for item in items:
            self._budget.hash(item)
            yield item

    def _dict(self, _: Any) -> None:
        items = self._since_mark()
        self._stack.append({})
        self._set_items(items)

    def _global(self, names: str) -> None:
        module, _, name = names.partition(" ")
        self._stack.append(self._find_class(module, name))

    def _stack_global(self, _: Any) -> None:
        module, name = self._pop_some(2)
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("it names a class by something that is no text")
        self._stack.append(self._find_class(module, name))

    def _reduce(self, _: Any) -> None:
        kind, arguments = self._pop_some(2)
        self._stack.append(self._made(kind, arguments))

    def _new_with_names(self, _: Any) -> None:
        kind, arguments, _named = self._pop_some(3)
        self._stack.append(self._made(kind, arguments))

    def _instance(self, names: str) -> None:
        arguments = tuple(self._since_mark())
        self._global(names)
        self._stack.append(self._made(self._stack.pop(), arguments))

    def _object(self, _: Any) -> None:
        kind, *arguments = self._since_mark()
        self._stack.append(self._made(kind, tuple(arguments)))

    def _made(self, kind: Any, arguments: Any) -> Any:
        """An object, of a class that is plain or of one that only has its name."""
        if not isinstance(arguments, tuple):
            raise ValueError("it calls something with what is no tuple")
        if isinstance(kind, Opaque):
            return Opaque(kind.name, arguments)
        if not isinstance(kind, type) or len(arguments) > _SCALARS_A_CALL:
            raise ValueError("it calls what is no class of plain values")
        self._budget.take(len(arguments))
        if kind in (set, frozenset, OrderedDict):
            items = arguments[0] if arguments else ()
            if len(arguments) > 1 or not isinstance(items, list | tuple | set | frozenset):
                raise ValueError(f"a {kind.__name__} is made of one list")
            if kind is not OrderedDict:
                return kind(self._hashed(items))
            made: OrderedDict[Any, Any] = OrderedDict()
            self._fill(made, items)
            return made
        if kind is uuid.UUID and not arguments:
            return uuid.UUID(int=0)  # what it is stands in the state that follows
        if kind is decimal.Decimal and not isinstance(arguments[0], str):
            raise ValueError("a Decimal is made of its text")
        return kind(*map(scalar, arguments))

    def _build(self, _: Any) -> None:
        state = self._stack.pop()
        of = self._stack[-1]
        if isinstance(of, uuid.UUID):
            object.__setattr__(of, "int", uuid.UUID(int=state["int"]).int)
        elif not isinstance(of, Opaque | OrderedDict):
            raise ValueError(f"it sets the state of a {type(of).__name__}")

    def _refuse(self, _: Any) -> None:
        raise ValueError("it refers to something outside of itself")

    def _nothing(self, _: Any) -> None:
        pass


_DO: dict[str, Callable[[PickleMachine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), PickleMachine._nothing),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), PickleMachine._get),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), PickleMachine._put),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), PickleMachine._reduce),
    **dict.fromkeys(
        ("PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"), PickleMachine._refuse
    ),
    "MEMOIZE": PickleMachine._memoize,
    "MARK": PickleMachine._mark,
    "POP": PickleMachine._pop,
    "POP_MARK": lambda machine, _: machine._drop(),
    "DUP": lambda machine, _: machine._stack.append(machine._stack[-1]),
    "APPEND": lambda machine, _: machine._extend(machine._pop_some(1)),
    "APPENDS": lambda machine, _: machine._extend(machine._since_mark()),
    "LIST": lambda machine, _: machine._wrap(list, machine._since_mark()),
    "TUPLE": lambda machine, _: machine._wrap(tuple, machine._since_mark()),
    "TUPLE1": lambda machine, _: machine._wrap(tuple, machine._pop_some(1)),
    "TUPLE2": lambda machine, _: machine._wrap(tuple, machine._pop_some(2)),
    "TUPLE3": lambda machine, _: machine._wrap(tuple, machine._pop_some(3)),
    "FROZENSET": lambda machine, _: machine._wrap(frozenset, machine._hashed(machine._since_mark())),
    "SETITEM": lambda machine, _: machine._set_items(machine._pop_some(2)),
    "SETITEMS": lambda machine, _: machine._set_items(machine._since_mark()),
    "ADDITEMS": PickleMachine._add_items,
    "DICT": PickleMachine._dict,
    "GLOBAL": PickleMachine._global,
    "STACK_GLOBAL": PickleMachine._stack_global,
    "NEWOBJ_EX": PickleMachine._new_with_names,
    "INST": PickleMachine._instance,
    "OBJ": PickleMachine._object,
    "BUILD": PickleMachine._build,
}
