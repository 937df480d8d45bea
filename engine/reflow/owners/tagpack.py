"""Label files in GraphSense's TagPack form: YAML with header fields and a list `tags` (methodology 9.12).

A field of the header holds for every tag that does not have it itself. What is read of a tag: `address`,
`currency`, `category`, `actor`, `label` and `abuse`; all else is for people. Scalars are taken as they are
written, so that no address is read as a number and every message has a line.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from reflow.errors import LabelError
from reflow.network import Network
from reflow.owners.label import EXCHANGE, Label, exchange_entity, make_label

_FIELDS: Final = frozenset({"address", "currency", "category", "actor", "label", "abuse"})
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where PyYAML was built with it: ten times faster."""


def read_tagpack(path: Path, text: str, network: Network) -> Iterator[Label | LabelError]:
    """The labels of a TagPack in file order, and a LabelError in place of each tag that is wrong.

    Tags of a currency other than BTC, and tags that mark misuse (`abuse`), are skipped. A tag of category
    exchange belongs to the exchange that its actor, else its label, names; a tag without a category is of
    category `other`.
    """
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        yield _yaml_error(path, error)
        return
    if not isinstance(root, yaml.MappingNode):
        yield LabelError(f"{path}: not a TagPack: expected a mapping with a list of tags")
        return
    header = _scalars(root)
    tags = next((value for key, value in root.value if key.value == "tags"), None)
    if not isinstance(tags, yaml.SequenceNode):
        yield LabelError(f"{path}: not a TagPack: expected a list of tags under the key 'tags'")
        return
    for tag in tags.value:
        label = _read_tag(f"{path}:{tag.start_mark.line + 1}", header, tag, network)
        if label is not None:
            yield label


def _read_tag(
    place: str, header: dict[str, str], tag: yaml.Node, network: Network
) -> Label | LabelError | None:
    if not isinstance(tag, yaml.MappingNode):
        return LabelError(f"{place}: a tag must be a mapping with at least an address")
    fields = header | _scalars(tag)
    if fields.get("currency", "BTC").upper() != "BTC" or fields.get("abuse"):
        return None
    if not fields.get("address"):
        return LabelError(f"{place}: a tag without an address")
    category = fields.get("category", "").lower() or "other"
    names = (fields.get("actor", ""), fields.get("label", ""))
    entity = exchange_entity(*names) if category == EXCHANGE else names[0] or names[1]
    return make_label(place, fields["address"], entity, category, network)


def _scalars(mapping: yaml.MappingNode) -> dict[str, str]:
    """The fields that matter, as written; YAML's null counts as empty, which overrides the header."""
    return {
        key.value: "" if value.tag == "tag:yaml.org,2002:null" else value.value.strip()
        for key, value in mapping.value
        if isinstance(value, yaml.ScalarNode) and key.value in _FIELDS
    }


def _yaml_error(path: Path, error: yaml.YAMLError) -> LabelError:
    mark = getattr(error, "problem_mark", None)
    place = f"{path}:{mark.line + 1}" if mark else f"{path}"
    return LabelError(f"{place}: not YAML: {getattr(error, 'problem', None) or ' '.join(str(error).split())}")
