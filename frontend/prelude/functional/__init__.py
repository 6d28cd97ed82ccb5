"""torch.nn.functional as TorchScript, with PyTorch's signatures, a file per family: data for our own parser, never imported.

Only what is more than another name of an operator stands here: `F.conv2d` is `aten::conv2d` by itself.
`BroadcastingList2[int]` is `int[2]`: a single number may be given. Names with `_h_` in front are helpers.
All files share one scope.
"""
