"""REST of single devices and persons: what is kept of one, erasing it, and devices that are one."""

from aiohttp import web

from arqlight.families.telemetry.intake import Hasher
from arqlight.families.telemetry.merging import merge_devices
from arqlight.families.telemetry.subjects import erase_subject, export_subject
from arqlight_service.api.answers import done
from arqlight_service.api.call import call
from arqlight_service.app_keys import KEY_RING
from arqlight_service.audit.told import tell
from arqlight_service.auth.roles import Role
from arqlight_service.families.database import DATABASE
from arqlight_service.families.telemetry.files import send_file
from arqlight_service.families.telemetry.queries import MergeRequest, SubjectRequest
from arqlight_service.families.telemetry.shapes import Erased, Kept, Merged

routes = web.RouteTableDef()
MOST_TOLD = 20  # fingerprints in an entry of the audit list


@routes.post("/api/v1/telemetry/subject-exports")
@call(
    Role.OPERATOR, tag="telemetry", answers={200: Kept}, body=SubjectRequest, refuses=(404,), lines=True,
    does="export what telemetry keeps of a device or person", kind="secret",
)  # fmt: skip
async def export_one(request: web.Request, asked: SubjectRequest) -> web.StreamResponse:
    """All that is kept of a device or person, as lines of JSON (GDPR, article 15)."""
    subject = asked.subject(Hasher(request.app[KEY_RING]))
    tell(request, after={"by": asked.by, "fingerprint": subject.fingerprint, "person": subject.person})
    groups = export_subject(request.app[DATABASE], subject)
    return await send_file(request, f"telemetry-{asked.by}", "jsonl", (), groups)


@routes.post("/api/v1/telemetry/erasures")
@call(
    Role.ADMIN, tag="telemetry", answers={200: Erased}, body=SubjectRequest,
    does="erase what telemetry keeps of a device or person",
)  # fmt: skip
async def erase_one(request: web.Request, asked: SubjectRequest) -> web.Response:
    """Erase all that is kept of a device, or of a person and the devices they used (GDPR, article 17)."""
    subject = asked.subject(Hasher(request.app[KEY_RING]))
    erased = await erase_subject(request.app[DATABASE], subject)
    told = {**erased, "fingerprints": erased["fingerprints"][:MOST_TOLD], "devices": len(erased["fingerprints"])}
    tell(request, after={"by": asked.by, "person": subject.person, **told})
    return done(request, erased, "/telemetry")


@routes.post("/api/v1/telemetry/merges")
@call(
    Role.OPERATOR, tag="telemetry", answers={200: Merged}, body=MergeRequest, refuses=(404, 409),
    does="merge two devices of telemetry",
)  # fmt: skip
async def merge_two(request: web.Request, asked: MergeRequest) -> web.Response:
    """Make one device of two; what the first one sends from then on counts for the second."""
    merged = await merge_devices(request.app[DATABASE], asked.fingerprint, asked.into)
    tell(request, after=merged)
    return done(request, merged, "/telemetry")
