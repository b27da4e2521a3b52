"""Settings as nested mappings."""

import pytest

from saferec_core.config.settings import merged, parse_setting, read_settings
from saferec_core.errors import ConfigError


def test_a_setting_is_read_as_yaml_and_nested_by_its_dots():
    assert parse_setting("a.b.c=2") == {"a": {"b": {"c": 2}}}
    assert parse_setting("a=[1, 2]") == {"a": [1, 2]}
    assert parse_setting("a=null") == {"a": None}
    assert parse_setting("a=") == {"a": None}
    assert parse_setting("a=x=y") == {"a": "x=y"}
    assert parse_setting("a={b: true}") == {"a": {"b": True}}


@pytest.mark.parametrize("text", ["a", "=1", " =1", ""])
def test_a_setting_without_key_or_equals_sign_is_refused(text):
    with pytest.raises(ConfigError, match="--set expects KEY=VALUE"):
        parse_setting(text)


def test_mappings_are_merged_and_everything_else_is_replaced():
    layers = [{"a": {"b": 1, "c": [1]}, "d": 1}, {"a": {"c": [2]}, "d": {"e": 1}}, {"d": {"f": 2}}]

    assert merged(layers) == {"a": {"b": 1, "c": [2]}, "d": {"e": 1, "f": 2}}


def test_merging_leaves_the_layers_as_they_were():
    below, above = {"a": {"b": 1}}, {"a": {"c": 2}}
    merged([below, above])

    assert (below, above) == ({"a": {"b": 1}}, {"a": {"c": 2}})


def test_what_is_no_mapping_of_settings_is_refused_with_its_file(tmp_path):
    for name, content in (("list", b"[1]"), ("damaged", b"a: [b"), ("binary", b"\xff\xfe\x00")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match=name):
            read_settings(tmp_path / name)
    with pytest.raises(ConfigError, match="nowhere"):
        read_settings(tmp_path / "nowhere")


def test_an_empty_file_changes_nothing(tmp_path):
    (tmp_path / "empty.yaml").write_text("# nothing\n")

    assert read_settings(tmp_path / "empty.yaml") == {}


def test_reading_settings_runs_no_code(tmp_path):
    (tmp_path / "bad.yaml").write_text(f"a: !!python/object/apply:os.mkdir ['{tmp_path}/owned']\n")

    with pytest.raises(ConfigError, match="is not valid YAML"):
        read_settings(tmp_path / "bad.yaml")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "text",
    [
        "- base_url: http://me:SECRET@h",
        "SECRET",
        "a: 'SECRET",
        "a: b: SECRET",
        "a: [SECRET\nb: 1",
        "1: SECRET",
    ],
)
def test_a_file_that_cannot_be_used_is_not_quoted(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(
        ConfigError, match=r"run\.yaml (is not valid YAML: .*line \d|must hold KEY: VALUE pairs)"
    ) as error:
        read_settings(path)

    assert "SECRET" not in str(error.value)
