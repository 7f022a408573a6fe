"""Bulk operations: licence keys by the hundred thousand, exports of whole tables."""

from arqlight.families.bulk.settings import BulkSettings
from arqlight.family import Family

FAMILY = Family(
    name="bulk",
    tasks=("arqlight.families.bulk.licences:generate_licence_keys", "arqlight.families.bulk.exports:export_table"),
    settings=BulkSettings,
    check="arqlight.families.bulk.check:check",
    tidy="arqlight.families.bulk.exports:tidy",
    exports="arqlight.families.bulk.tables:EXPORTS",
)
