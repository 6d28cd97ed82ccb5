"""`torch` stage functions as TorchScript text again, as archives and `.code` hold it: `printer.py` is the way in."""
