"""$batch as msgraph-core for Python writes it: absolute addresses, `depends_on`, answers by status."""

import pytest
from msgraph_core.requests.batch_request_content import BatchRequestContent
from msgraph_core.requests.batch_request_item import BatchRequestItem

from world import Tenant

pytestmark = pytest.mark.anyio


async def test_several_requests_travel_as_one(contoso: Tenant):
    carol = contoso.person("carol")
    async with contoso.graph() as graph:
        users = graph.users.by_user_id(carol.id).to_get_request_information()
        organization = graph.organization.to_get_request_information()
        missing = graph.users.by_user_id(f"nobody@{contoso.domain}").to_get_request_information()
        content = BatchRequestContent()
        for item_id, request in [("1", users), ("2", organization), ("3", missing)]:
            content.add_request(item_id, BatchRequestItem(request, id=item_id))
        answer = await graph.batch.post(batch_request_content=content)
        statuses = {name: answer.get_response_by_id(name).status for name in ["1", "2", "3"]}
        assert statuses == {"1": 200, "2": 200, "3": 404}
