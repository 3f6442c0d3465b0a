"""Requests made up from the API's schema, right and wrong ones: every answer is one that the schema knows."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings

EXAMPLES = 6  # of each kind, for each operation
# No schema says what is in a file, that a request must ask for something, or that weights come one each.
BEYOND = "positive_data_acceptance"


# schemathesis draws with `random` inside its strategies; hypothesis warns of that.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@pytest.mark.slow
def test_requests_made_up_from_the_schema(serve) -> None:
    import schemathesis  # seconds that the quick tests need not spend
    from schemathesis import GenerationMode

    served = serve("s3cret", steps=2, seconds=0.2, candidates=2, queue=4)
    headers = {"Authorization": "Bearer s3cret"}
    schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json", timeout=60)
    beyond = schemathesis.checks.CHECKS.get_by_names([BEYOND])
    statuses = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.endswith("/events"):
            continue  # has its own test
        takes = bool(operation.path_parameters or operation.body)
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)[: 1 + takes]:

            @settings(
                max_examples=EXAMPLES if takes else 1,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(operation.as_strategy(generation_mode=mode))
            def check(case) -> None:
                answer = case.call_and_validate(headers=headers, excluded_checks=beyond, timeout=60)
                statuses.add(answer.status_code)

            check()
    assert statuses >= {200, 202, 404, 422}
    assert not {status for status in statuses if status >= 500}
    assert served.desk.stats.ended.get("failed", 0) == 0


def test_what_the_schema_says_of_errors_and_of_nothing(served) -> None:
    """Errors are JSON, of streams of events too; a body that asks for nothing is none."""
    schema = served.client.get("/openapi.json").json()
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if status[0] in "45":
                    assert list(answer["content"]) == ["application/json"], (path, status, answer)
                    page = answer["content"]["application/json"]["schema"]
                    assert page["$ref"].rpartition("/")[2] in schema["components"]["schemas"]
    body = schema["paths"]["/v1/sounds"]["post"]["requestBody"]["content"]
    assert body["application/json"]["schema"]["required"] == ["prompt"]
    assert {"required": ["video"]} in body["multipart/form-data"]["schema"]["anyOf"]
