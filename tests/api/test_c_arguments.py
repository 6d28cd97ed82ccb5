"""A C program gives lists, dicts and strings to a compiled library, and takes some back."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from typer.testing import CliRunner

from torchcc.cli.main import app

COMPILER = shutil.which("cc") or shutil.which("gcc")

PROGRAM = """
from typing import Dict, List, Optional, Tuple

def windows(xs: List[int], size: int, skip: Dict[int, bool]) -> Tuple[List[List[int]], Dict[int, int]]:
    out: List[List[int]] = []
    counts: Dict[int, int] = {}
    for i in range(len(xs) - size + 1):
        if xs[i] not in skip:
            out.append(xs[i:i + size])
            counts[xs[i]] = counts[xs[i]] + 1 if xs[i] in counts else 1
    return out, counts

def words(text: str, skip: List[str]) -> Tuple[List[str], str]:
    out: List[str] = []
    for word in text.split(" "):
        if word not in skip:
            out.append(word)
    return out, "+".join(out)

def total(xs: List[List[float]], ys: List[Optional[int]]) -> float:
    s = 0.0
    for x in xs:
        for y in x:
            s += y
    for k in ys:
        if k is not None:
            s += k
    return s
"""

MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include "windows.h"
#include "total.h"
#include "words.h"

static void check(int32_t status) {
  if (status) { printf("%s\\n", torchcc_last_error()); exit(0); }
}

static DLTensor vector(void *data, uint8_t code, uint8_t bits, int64_t *length) {
  DLTensor t = {data, {1, 0}, 1, {code, bits, 1}, length, 0, 0};
  return t;
}

int main(void) {
  int64_t numbers[6] = {3, 1, 4, 1, 5, 9}, skipped[1] = {4};
  bool yes[1] = {true};
  for (int64_t n = 2, one = 1; n <= 6; n += 4) {
    DLTensor xs = vector(numbers, 0, 64, &n), keys = vector(skipped, 0, 64, &one), values = vector(yes, 6, 8, &one);
    int64_t count = 0, entries = 0;
    DLTensor lengths = {0}, elements = {0}, found = {0}, counts = {0};
    check(windows(&xs, 2, &keys, &values, &count, &lengths, &elements, &entries, &found, &counts));
    const int64_t *at = elements.data;
    for (int64_t i = 0; i < count; i++) {
      int64_t length = ((int64_t *)lengths.data)[i];
      for (int64_t k = 0; k < length; k++) printf("%s%lld", k ? " " : "[", (long long)*at++);
      printf("]");
    }
    for (int64_t i = 0; i < entries; i++)
      printf(" %lld:%lld", (long long)((int64_t *)found.data)[i], (long long)((int64_t *)counts.data)[i]);
    printf("\\n");
    torchcc_free(&lengths); torchcc_free(&elements); torchcc_free(&found); torchcc_free(&counts);
  }
  char text[] = "the gr\\xc3\\xbc" "ne the house", left_out[] = "thea";
  int64_t size = sizeof text - 1, skip_sizes[2] = {3, 1}, skips = 2, skip_size = 4, found;
  DLTensor given = vector(text, 1, 8, &size);
  DLTensor skip_lengths = vector(skip_sizes, 0, 64, &skips), skip_bytes = vector(left_out, 1, 8, &skip_size);
  DLTensor word_lengths = {0}, word_bytes = {0}, joined = {0};
  check(words(&given, &skip_lengths, &skip_bytes, &found, &word_lengths, &word_bytes, &joined));
  printf("%d %d %d %.*s %.*s\\n", (int)found, (int)((int64_t *)word_lengths.data)[0], (int)((int64_t *)word_lengths.data)[1],
         (int)word_bytes.shape[0], (char *)word_bytes.data, (int)joined.shape[0], (char *)joined.data);
  torchcc_free(&word_lengths); torchcc_free(&word_bytes); torchcc_free(&joined);
  double parts[3] = {0.5, 1.5, 2.5}, sum = 0;
  int64_t sizes[2] = {2, 1}, two = 2, three = 3, some[2] = {10, 20};
  bool there[3] = {true, false, true};
  DLTensor lengths = vector(sizes, 0, 64, &two), elements = vector(parts, 2, 64, &three);
  DLTensor present = vector(there, 6, 8, &three), values = vector(some, 0, 64, &two);
  check(total(&lengths, &elements, &present, &values, &sum));
  printf("%.2f\\n", sum);
  sizes[1] = WRONG;
  check(total(&lengths, &elements, &present, &values, &sum));
  return 1;
}
"""


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
def test_a_c_program_gives_and_takes_lists(tmp_path):
    source = tmp_path / "lists.py"
    source.write_text(PROGRAM)
    inputs = {"words": ["text=...", "skip=[the,a]"], "windows": ["xs=[1,2]", "size=2", "skip={1: true}"], "total": ["xs=[[1.0]]", "ys=[1,none]"]}
    for name, given in inputs.items():
        options = [option for text in given for option in ("--input", text)]
        result = CliRunner().invoke(app, ["compile", f"{source}:{name}", *options, "-o", str(tmp_path / f"lib{name}.so")])
        assert result.exit_code == 0, result.output
    (tmp_path / "main.c").write_text(MAIN)
    for wrong, message in ((0, "argument `xs`: the lengths that are given do not fit the elements"), (9, "index"), (-7, "do not fit")):
        command = [COMPILER, "-Wall", "-Werror", f"-DWRONG={wrong}", "main.c", "-o", "main", "-L.", "-lwindows", "-ltotal", "-lwords", "-Wl,-rpath,."]
        subprocess.run(command, cwd=tmp_path, check=True)
        run = subprocess.run([tmp_path / "main"], cwd=tmp_path, check=True, capture_output=True, text=True)
        lines = run.stdout.splitlines()
        windows = ["[3 1] 3:1", "[3 1][1 4][1 5][5 9] 3:1 1:2 5:1"]
        assert lines[:4] == [*windows, "2 6 5 grünehouse grüne+house", "34.50"]
        assert message in lines[4], lines
