"""The places of TOML keys agree with what tomllib reads."""

import json
import string
import tomllib

from hypothesis import given
from hypothesis import strategies as st

from spinodal.spec.toml_positions import scan, string_offset

keys = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=4)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8)


def quoted(text):
    return st.sampled_from(
        [json.dumps(text, ensure_ascii=False), json.dumps(text)] + ([f"'{text}'"] if "'" not in text else [])
    )


scalars = texts.flatmap(quoted) | st.sampled_from(
    ["1", "-2.5e3", "true", "nan", "2020-01-02T03:04:05", '"""a\n"b" \\\n   c"""', "'''\n]}#'''"]
)
blanks = st.sampled_from(["", " ", "  "])
fillers = st.sampled_from(["", " ", "\n", ' # a comment, with ] } "\n'])


def arrays(inner):
    return st.lists(st.tuples(fillers, inner, fillers), max_size=3).map(
        lambda items: "[" + ",".join(f"{before}{item}{after}" for before, item, after in items) + "]"
    )


def inline_tables(inner):
    return st.dictionaries(keys, inner, max_size=3).map(
        lambda items: "{" + ", ".join(f"{key} = {item}" for key, item in items.items()) + "}"
    )


values = st.recursive(scalars, lambda inner: arrays(inner) | inline_tables(inner), max_leaves=6)
written_keys = keys.flatmap(lambda key: st.sampled_from([key, f'"{key}"', f"'{key}'"]))


@st.composite
def documents(draw):
    lines = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(["pair", "pair", "pair", "table", "array", "comment"]))
        key = draw(blanks).join([".".join(draw(st.lists(written_keys, min_size=1, max_size=3)))])
        if kind == "pair":
            lines.append(f"{draw(blanks)}{key}{draw(blanks)}={draw(blanks)}{draw(values)}{draw(blanks)}")
        elif kind == "table":
            lines.append(f"[{draw(blanks)}{key}{draw(blanks)}] # heading")
        elif kind == "array":
            lines.append(f"[[{key}]]")
        else:
            lines.append("# a = 1")
    return "\n".join(lines)


def paths(value, path=()):
    """The path of everything inside a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in inner:
        yield (*path, key)
        yield from paths(entry, (*path, key))


@given(documents())
def test_every_key_of_a_document_and_no_other_has_a_place(text):
    try:
        data = tomllib.loads(text)
    except ValueError:
        return
    positions = scan(text)
    assert set(positions) == set(paths(data))


@given(documents())
def test_places_point_at_keys_and_values(text):
    try:
        data = tomllib.loads(text)
    except ValueError:
        return
    for path, position in scan(text).items():
        key, value = path[-1], data
        for part in path:
            value = value[part]
        if isinstance(key, str):
            assert text.startswith((key, f'"{key}"', f"'{key}'"), position.key)
        if isinstance(value, str) and "\n" not in text:
            for index, character in enumerate(value):
                offset = string_offset(text, position.value, index)
                assert text[offset] in (character, "\\")


def test_a_column_inside_a_string_with_escapes_and_lines_is_found():
    text = 'a = """\nx \\\n    + \\u0079"""'
    start = scan(text)[("a",)].value
    assert tomllib.loads(text)["a"] == "x + y"
    assert [text[string_offset(text, start, index)] for index in range(5)] == ["x", " ", "+", " ", "\\"]


def test_hostile_depth_costs_no_memory():
    text = ".".join(["a"] * 20_000) + " = 1"
    assert len(scan(text)) < 20
