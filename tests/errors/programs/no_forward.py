# torchcc run no_forward.py:Net --input x=f32[2,3]
from torch import Tensor, nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def froward(self, x: Tensor) -> Tensor:
        return self.fc(x)
