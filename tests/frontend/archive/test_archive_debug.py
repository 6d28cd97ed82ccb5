"""`.debug_pkl`: the author's lines in errors, and members that lie, which decide nothing."""

import io
import pickle
import struct
import zipfile

import pytest

from torchcc.frontend.archive import debug, load
from torchcc.ir.diagnostics import CompileError

CODE = "class M(Module):\n  training : bool\n  def forward(self, x: Tensor):\n    y = x\n    return torch.nosuch(y)\n"
PICKLE = b"\x80\x02c__torch__\nM\n)\x81}(X\x08\x00\x00\x00training\x88ub."
AT = CODE.index("torch.nosuch")
LINES = ("def forward(self, x):\n", "    y = x\n", "    return nosuch(y)\n", "/models/net.py")
TEXT = "".join(LINES[:3])
BEGIN = TEXT.index("nosuch(y)")


def dumped(value):
    """A pickle of protocol 2 as PyTorch writes it: integers of 8 bytes, lists of ints by a function."""

    def write(v):
        match v:
            case bool():
                return b"\x88" if v else b"\x89"
            case int():
                return b"\x8a\x08" + struct.pack("<q", v)
            case float():
                return b"G" + struct.pack(">d", v)
            case str():
                return b"X" + struct.pack("<I", len(v.encode())) + v.encode()
            case None:
                return b"N"
            case list():
                inner = b"](" + b"".join(map(write, v)) + b"e"
                return b"ctorch.jit._pickle\nbuild_intlist\n" + inner + b"\x85R"
            case tuple():
                return b"(" + b"".join(map(write, v)) + b"t"

    return b"\x80\x02" + write(value) + b"."


def failure(member):
    """The text of the error in `CODE`, with these bytes as its debug member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        contents = {"data.pkl": PICKLE, "constants.pkl": b"\x80\x02).", "version": "3\n", "code/__torch__.py": CODE}
        for name, content in {**contents, "code/__torch__.py.debug_pkl": member}.items():
            file.writestr(f"m/{name}", content)
    with pytest.raises(CompileError) as error:
        load(buffer.getvalue())
    return str(error.value)


def table(*records, strings=LINES):
    return ("FORMAT_WITH_STRING_TABLE", strings, records)


GOOD = (([0, 1, 2], 3, 10), BEGIN, BEGIN + 9)

KNOWN = {
    "the place": table((0, (([], 0, 0), 0, 0), 0), (AT, GOOD, 1)),
    "the place before": table((AT - 3, GOOD, 1)),
    "the place behind": table((0, (([], 0, 0), 0, 0), 0), (AT + 3, GOOD, 1)),
    "in any order": table((AT, GOOD, 1), (0, (([], 0, 0), 0, 0), 0)),
    "without strings": ((AT, ((TEXT, LINES[3], 10), BEGIN, BEGIN + 9)),),
}


@pytest.mark.parametrize("name", KNOWN)
def test_the_line_of_the_author(name):
    text = failure(dumped(KNOWN[name]))
    assert "--> /models/net.py:12:12" in text and "12 |     return nosuch(y)" in text
    assert "^^^^^^^^^" in text and "stored as <bytes>/code/__torch__.py:5:12" in text


def test_letters_that_take_several_bytes():
    text = "é = 'ü'; nosuch(y)\n"
    begin = len("é = 'ü'; ".encode())
    shown = failure(dumped(table((AT, (([0], 1, 7), begin, begin + 9), 1), strings=(text, "n.py"))))
    assert "--> n.py:7:10" in shown and text.strip() in shown


LIES = {
    "nothing": None,
    "a number": 3,
    "no records": table(),
    "records are no tuples": table(1, 2, 3),
    "offsets are no numbers": table(("a", GOOD, 1)),
    "negative offset": table((-(1 << 62), (([9], 9, 0), 0, 4), 0)),
    "lines out of range": table((AT, (([0, 99], 3, 10), 0, 4), 1)),
    "negative lines": table((AT, (([-1], 3, 10), 0, 4), 1)),
    "name out of range": table((AT, (([0], 99, 10), 0, 4), 1)),
    "name is a number": table((AT, (([0], 1, 10), 0, 4), 1), strings=(TEXT, 4)),
    "range out of range": table((AT, (([0], 3, 10), 0, 1 << 40), 1)),
    "negative range": table((AT, (([0], 3, 10), -5, 4), 1)),
    "range that ends first": table((AT, (([0], 3, 10), 8, 4), 1)),
    "line number": table((AT, (([0], 3, 1 << 60), 0, 4), 1)),
    "negative line number": table((AT, (([0], 3, -4), 0, 4), 1)),
    "bools": table((AT, (([0], True, True), True, True), 1)),
    "floats": table((AT, (([0], 3, 10), 0.5, 4.5), 1)),
    "strings of another type": table((AT, GOOD, 1), strings=(1, 2, 3, 4)),
    "deep": (((((((((((1,),),),),),),),),),),),
    "a huge excerpt": table((AT, (([0] * 3000, 1, 10), 0, 4), 1), strings=("x" * 1000 + "\n", "n.py")),
}


@pytest.mark.parametrize("name", LIES)
def test_what_is_wrong_decides_nothing(name):
    text = failure(dumped(LIES[name]))
    assert "--> <bytes>/code/__torch__.py:5:12" in text and "stored as" not in text


@pytest.mark.parametrize("member", [b"", b"\x80\x04.", b"junk" * 10, b"\x80\x02cos\nsystem\n.", pickle.dumps({1: 2}, 2)])
def test_what_is_no_such_pickle_decides_nothing(member):
    assert "stored as" not in failure(member)


def test_large_members_are_left_alone(monkeypatch):
    monkeypatch.setattr(debug, "MAX_BYTES", 100)
    assert "stored as" not in failure(dumped(KNOWN["the place"]))


def test_nothing_but_text_is_shown():
    strings = ("\x1b[31mnosuch(y)\x07\n", "\x1b]0;net.py\x07" + "a" * 5000)
    shown = failure(dumped(table((AT, (([0], 1, 7), 0, 4), 1), strings=strings)))
    assert "\x1b" not in shown and "\x07" not in shown and "stored as" in shown and len(shown) < 2000


def test_members_are_not_read_before_there_is_an_error(monkeypatch):
    def never(*args):
        raise AssertionError("the member is read")

    monkeypatch.setattr(debug, "Unpickler", never)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        good = CODE.replace("nosuch", "relu")
        contents = {"data.pkl": PICKLE, "constants.pkl": b"\x80\x02).", "version": "3\n", "code/__torch__.py": good}
        for name, content in {**contents, "code/__torch__.py.debug_pkl": b"x"}.items():
            file.writestr(f"m/{name}", content)
    assert load(buffer.getvalue()).entry
