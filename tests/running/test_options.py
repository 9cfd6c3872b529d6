"""The table of options, the configs and docs/options.md have the same ids, and every number says its range."""

import json
import re
from pathlib import Path

import pytest
from monai.bundle import ConfigParser

from seat_components.bundles.render import render
from seat_components.running import kinds
from seat_components.running.option_list import bundle_options, config_names, defaults
from seat_components.running.options import OPTIONS, VALUES
from seat_components.tasks import all_tasks
from tools.options_page import page

PAGE = (Path(__file__).parents[2] / "docs" / "options.md").read_text(encoding="utf-8")
# MONAI runs these lines last if a config has them; ours have none.
MONAIS = {"finalize"}
ONLY_KINDS = {rule[1] for rule in (kinds.INTEGER, kinds.NUMBER, kinds.TEXT, kinds.LIST)}


@pytest.fixture(scope="module")
def configs():
    """Name → content, of one bundle; tests/bundles finds the ids of all ten alike."""
    files = {path: text for path, text in render(all_tasks()[0]).items() if re.fullmatch(r"configs/\w+\.json", path)}
    return {Path(path).stem: json.loads(text) for path, text in files.items() if "metadata" not in path}


def test_the_table_has_the_ids_of_the_configs_and_no_others(configs):
    top = {name.split("#")[0] for config in configs.values() for name in config}
    inner = {name for name in OPTIONS for config in configs.values() if "#" in name and name in ConfigParser(config)}
    assert top | inner | MONAIS == OPTIONS.keys()


def test_the_page_is_what_the_table_and_the_bundles_give(configs):
    assert page() == PAGE, "make options writes it again"
    sections = dict(re.findall(r"^## (\w+)\.json\n(.*?)(?=^## |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE))
    assert list(sections) == config_names(configs)
    for name, config in configs.items():
        named = set(re.findall(r"`([\w#]+)`", sections[name]))
        assert set(config) <= named, name


def test_a_bundle_lists_each_id_with_its_own_default(bundle, configs):
    said = bundle_options(bundle)
    for config in configs.values():
        assert all(f"--{one.name} " in said for one in defaults(config))
    assert f"--patch_size {json.dumps(configs['train']['patch_size'])}" not in said, "that of the other task"
    (bundle / "configs" / "mine.json").write_text('{"odd": 3}')
    assert "\nmine.json\n  --odd 3\n      an id of this bundle's own" in bundle_options(bundle)


@pytest.mark.parametrize("name", VALUES)
def test_every_value_says_what_it_means_and_what_it_may_be(name):
    option = VALUES[name]
    assert option.meaning
    assert option.range not in ONLY_KINDS, "the component knows the range: say it here too"
