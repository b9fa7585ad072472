"""Branding through msgraph-sdk: what it sends for a stream and for nulls is what the server must take."""

import httpx
import pytest
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.organizational_branding import OrganizationalBranding

from world import Tenant

pytestmark = pytest.mark.anyio

LOGO = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f"
    b"\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82"
)


async def test_logo_and_colour_are_set_read_and_taken_away(fabrikam: Tenant) -> None:
    async with fabrikam.graph() as graph:
        branding = graph.organization.by_organization_id(fabrikam.id).branding
        before = await branding.get()
        await branding.patch(OrganizationalBranding(background_color="#a03060", sign_in_page_text="Help: 555 0100"))
        default = branding.localizations.by_organizational_branding_localization_id("0")
        for banner in (branding.banner_logo, default.banner_logo):
            await banner.put(LOGO, "image/png")
            assert await banner.get() == LOGO

        found = await branding.get()
        assert (found.background_color, found.sign_in_page_text) == ("#a03060", "Help: 555 0100")
        async with httpx.AsyncClient(verify=fabrikam.world.trust()) as http:
            logo = await http.get(f"https://{found.cdn_list[0]}/{found.banner_logo_relative_url}")
        assert (logo.headers["content-type"], logo.content) == ("image/png", LOGO)

        with pytest.raises(ODataError) as refused:
            await branding.banner_logo.put(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml")
        assert refused.value.response_status_code == 400
        assert "PNG or JPEG" in refused.value.error.message

        await branding.banner_logo.delete()
        await branding.patch(OrganizationalBranding(background_color=before.background_color, sign_in_page_text=" "))
        after = await branding.get()
        assert (after.background_color, after.sign_in_page_text) == (before.background_color, None)
        assert after.banner_logo_relative_url is None
