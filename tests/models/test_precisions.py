from typing import get_args

from stretto.models.precisions import PRECISIONS
from stretto.spec.run.train import Train


def test_every_precision_of_a_run_file_has_its_dtype() -> None:
    assert set(PRECISIONS) == set(get_args(Train.model_fields["precision"].annotation))
    assert all(str(dtype) == f"torch.{name}" for name, dtype in PRECISIONS.items())
