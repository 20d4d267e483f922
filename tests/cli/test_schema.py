import json

import pytest

from stretto.cli.main import main
from stretto.cli.schema import schemas
from stretto.spec.run.config import RunConfig


@pytest.mark.parametrize("name", schemas())
def test_every_schema_is_json_and_refuses_unknown_fields(capsys, name):
    assert main(["schema", name]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False


def test_the_run_file_is_the_default(capsys):
    main(["schema"])
    schema = json.loads(capsys.readouterr().out)
    assert set(schema["properties"]) == set(RunConfig.model_fields)
    assert schema["$defs"]["Train"]["properties"]["steps"]["description"].startswith("Optimizer steps")
