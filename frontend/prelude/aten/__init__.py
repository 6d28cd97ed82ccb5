"""Composite operators of PyTorch as TorchScript functions, a file per family: data for our own parser, never imported.

`aten::name.Overload` is the function `name__Overload`, `aten::name` is `name`. Parameters stand in the order of the
schema, keyword-only ones too (callers pass all of them); `ScalarType`, `Layout`, ... are ints, `Scalar` is `number`.
Names with `_h_` in front are helpers. What stands below `# each: NAMES` is there once for each name, in the place of `EACH`.
All files share one scope: a function is called by its name, wherever it stands.
Written like the definition: the general passes make it fast. Half types are computed in float32 and rounded once at the
end, as PyTorch does.
"""
