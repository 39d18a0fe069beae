"""The main job on PostgreSQL, Redis, S3 and two Celery workers: the data set of the embedded default, bit for bit."""

import urllib.error
import urllib.request

import pytest

pytestmark = [pytest.mark.needs_production, pytest.mark.e2e, pytest.mark.timeout(1500)]


def test_it_makes_the_data_set_of_the_embedded_default(stack, made):
    tasks = stack.finish(stack.trigger("tall"))
    assert {t["state"] for t in tasks.values()} == {"success"}
    assert {t["try_number"] for t in tasks.values()} == {1}
    tall = made("tall")
    assert tall.files == tall.expected
    queues = {task: t["queue"] for (task, _), t in tasks.items()}
    assert {task for task, queue in queues.items() if queue == "sar"} == {"radar", "assemble"}


def test_the_user_interface_and_the_interface_for_programs_need_a_login(stack):
    for path in ("/api/v2/dags", "/api/v2/connections", "/api/v2/plugins"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{stack.port}{path}", timeout=30)
        with refused.value:
            assert refused.value.code == 401, path


def test_no_secret_is_in_any_log(stack):
    told = "".join(path.read_text(errors="replace") for path in stack.logs())
    assert len(told) > 10_000
    secrets = [stack.password, stack.redis.password, stack.environ["AIRFLOW__API__SECRET_KEY"]]
    for secret in [*secrets, stack.environ["AIRFLOW__API_AUTH__JWT_SECRET"], stack.environ["AWS_SECRET_ACCESS_KEY"]]:
        assert secret not in told
