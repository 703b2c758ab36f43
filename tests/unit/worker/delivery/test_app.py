"""A broker URL that its client library does not take is one line, with nothing of its password."""

import pytest

from db.settings import Settings
from worker.delivery.app import QueueError, QueueName, count_messages


@pytest.mark.parametrize(
    "url",
    ["redis://127.0.0.1:1/0?bogus=1", "redis://:s3cret@127.0.0.1:1/0?password=s3cret", "redis://127.0.0.1:1/name"],
)
def test_what_the_client_library_does_not_take_is_one_line(tmp_path, url):
    settings = Settings(home=tmp_path, broker_url=url)

    with pytest.raises(QueueError) as raised:
        count_messages(QueueName.INFER, settings=settings)

    told = str(raised.value)
    assert "\n" not in told and "s3cret" not in told
