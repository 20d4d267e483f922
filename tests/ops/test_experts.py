"""Mixed experts against a loop over rows."""

import torch
import torch.nn.functional as F

from stretto.ops.experts import mixed_experts


def test_equals_a_loop_over_rows():
    torch.manual_seed(0)
    x, scores = torch.randn(11, 5, dtype=torch.float64), torch.randn(11, 4, dtype=torch.float64)
    gate, up = torch.randn(2, 4, 7, 5, dtype=torch.float64)
    down = torch.randn(4, 5, 7, dtype=torch.float64)
    out = mixed_experts(x, scores, gate, up, down, 2)
    for row in range(11):
        best, chosen = scores[row].topk(2)
        expected = sum(
            w * (down[e] @ (F.silu(gate[e] @ x[row]) * (up[e] @ x[row])))
            for w, e in zip(best.softmax(0), chosen, strict=True)
        )
        torch.testing.assert_close(out[row], expected, rtol=0, atol=1e-12)
