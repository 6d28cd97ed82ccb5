"""`torchcc.load` and the command line on archives that PyTorch saved."""

import numpy as np
import pytest
from typer.testing import CliRunner

import torchcc
from torchcc.cli.main import app

pytestmark = pytest.mark.filterwarnings("ignore")

torch = pytest.importorskip("torch", reason="saves the archives")


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(1, 4, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(4)
        self.last = torch.nn.Linear(4, 3)

    def forward(self, x):
        y = torch.relu(self.norm(self.first(x)))
        if bool(y.sum() > 1e6):
            y = y * 0
        return self.last(y.mean([2, 3]))


@pytest.fixture(params=["scripted", "traced"])
def saved(request, tmp_path):
    torch.manual_seed(0)
    net = Net().eval()
    x = torch.randn(2, 1, 5, 5)
    module = torch.jit.script(net) if request.param == "scripted" else torch.jit.trace(net, x, check_trace=False)
    path = tmp_path / "net.pt"
    torch.jit.save(module, path)
    with torch.no_grad():
        return path, x.numpy(), net(x).numpy()


def test_load_agrees_with_pytorch(saved):
    path, x, expected = saved
    np.testing.assert_allclose(torchcc.load(path)(x), expected, rtol=1e-4, atol=1e-5)


def test_run_and_info_take_an_archive(saved, tmp_path):
    path, x, expected = saved
    np.save(tmp_path / "x.npy", x)
    arguments = ["run", str(path), "--input", f"{torchcc.load(path).forward.parameters[0].name}=@{tmp_path}/x.npy"]
    result = CliRunner().invoke(app, [*arguments, "-o", str(tmp_path / "y.npy"), "--verify-stages"])
    assert result.exit_code == 0, result.output
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, rtol=1e-4, atol=1e-5)
    assert CliRunner().invoke(app, ["info", str(path)]).exit_code == 0


def test_an_archive_has_no_syntax_tree(saved):
    result = CliRunner().invoke(app, ["dump", str(saved[0]), "--stage", "ast"])
    assert result.exit_code == 1 and "no syntax tree" in result.output


def test_a_state_dict_is_no_archive(tmp_path):
    torch.save(Net().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(torchcc.CompileError):
        torchcc.load(tmp_path / "weights.pt")
