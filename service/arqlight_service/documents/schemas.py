"""JSON Schemas of the models that calls and frames are stated with."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from arqlight_service.api.shapes.answer import Answer

Schema = dict[str, Any]
_GENERIC = re.compile(r"(Items|Page)_(\w+)_$")
REF = "#/components/schemas/{model}"


class _Generator(GenerateJsonSchema):
    """Without a title at each field, which says nothing that its name does not."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """An answer may get more fields; only requests are strict."""
        made = super().model_schema(schema)
        if issubclass(schema["cls"], Answer):
            made.pop("additionalProperties", None)
        return made


def schemas_of(shapes: Mapping[Any, Any]) -> tuple[dict[Any, Schema], dict[str, Schema]]:
    """The schema of each of `shapes` (models, lists of them, unions), and the definitions that they refer to."""
    inputs: list[Any] = [(key, "validation", TypeAdapter(shape)) for key, shape in shapes.items()]
    made, found = TypeAdapter.json_schemas(inputs, ref_template=REF, schema_generator=_Generator)
    definitions = found.get("$defs", {})
    return _renamed({key: made[key, "validation"] for key in shapes}), {
        _plain_name(name): about | {"title": _plain_name(name)} for name, about in _renamed(definitions).items()
    }


def _plain_name(name: str) -> str:
    """`JobPage` for pydantic's `Page_Job_`."""
    return _GENERIC.sub(lambda found: found[2] + {"Items": "List", "Page": "Page"}[found[1]], name)


def _renamed(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _plain_name(value) if key == "$ref" else _renamed(value) for key, value in found.items()}
    return [_renamed(each) for each in found] if isinstance(found, list) else found
