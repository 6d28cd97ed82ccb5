"""`torch.nn.utils.rnn`: sequences of several lengths in one tensor, padded or packed. TorchScript, parsed when first used.

A packed sequence holds the elements of all sequences by time step, the longest sequence first; `batch_sizes` says how many
sequences each step has, the indices how they were sorted.
"""

import torch
from torch import Tensor
from typing import NamedTuple


class PackedSequence(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    if permutation is None:
        return None
    output = torch.empty_like(permutation)
    output.scatter_(0, permutation, torch.arange(0, permutation.numel(), device=permutation.device))
    return output


@torch.jit._overload
def pack_padded_sequence(
    input: Tensor, lengths: Tensor, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence: ...


@torch.jit._overload
def pack_padded_sequence(
    input: Tensor, lengths: list[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence: ...


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    counts = torch.as_tensor(lengths, dtype=torch.int64)
    indices: Tensor | None = None
    if not enforce_sorted:
        counts, order = torch.sort(counts, descending=True)
        indices = order
        input = input.index_select(0 if batch_first else 1, order)
    data, batch_sizes = torch._pack_padded_sequence(input, counts, batch_first)
    return PackedSequence(data, batch_sizes, indices, invert_permutation(indices))


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    max_seq_length = sequence.batch_sizes.size(0)
    if total_length is not None:
        if total_length < max_seq_length:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {max_seq_length}"
            )
        max_seq_length = total_length
    padded, lengths = torch._pad_packed_sequence(
        sequence.data, sequence.batch_sizes, batch_first, padding_value, max_seq_length
    )
    unsorted_indices = sequence.unsorted_indices
    if unsorted_indices is not None:
        return padded.index_select(0 if batch_first else 1, unsorted_indices), lengths[unsorted_indices]
    return padded, lengths


def pad_sequence(
    sequences: list[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    return torch.pad_sequence(sequences, batch_first, padding_value, padding_side)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    sequences: list[Tensor] = []
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    for i in range(padded_sequences.size(0)):
        sequences.append(padded_sequences[i, : int(lengths[i])])
    return sequences


def pack_sequence(sequences: list[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    lengths = torch.as_tensor([v.size(0) for v in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, False, enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    padded, lengths = pad_packed_sequence(packed_sequences, True)
    return unpad_sequence(padded, lengths, True)
