"""E-mail: templates, their editor and preview."""

from arqlight_service.families.database import check_database, connect_database
from arqlight_service.families.email import api, pages, suppressions, unsubscribing
from arqlight_service.families.email.check import check_mail_server
from arqlight_service.families.email.renderer import run_renderer
from arqlight_service.family import NavigationEntry, ServiceFamily

FAMILY = ServiceFamily(
    name="email",
    routes=(*api.routes, *pages.routes, *suppressions.routes, *unsubscribing.routes),
    navigation=(
        NavigationEntry("/templates", "E-mail templates", "templates"),
        NavigationEntry("/suppressions", "Suppression list", "suppressions"),
    ),
    cleanup=(connect_database, run_renderer),
    checks=(check_database, check_mail_server),
)
