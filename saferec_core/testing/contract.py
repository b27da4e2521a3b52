"""What the contracts of all kinds share: a component, samples to try it on, and properties to hold.

A contract is a class whose methods ``test_...`` are its properties. A subclass that says which component to
make is collected by pytest, each property as a test of its own; ``check_...`` tries them all at once and
reports every one that does not hold.
"""

from __future__ import annotations

import copy
import pickle
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar
from unittest import SkipTest

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from saferec_core.plugins.time_limits import PluginTimeoutError, time_limit
from saferec_core.testing.process import noting_changes, output_of
from saferec_core.testing.snapshots import difference, snapshot
from saferec_core.testing.work import lines_executed

__all__ = ["Contract", "ContractError", "check", "failures_of", "properties_of", "tried_on"]

C = TypeVar("C")


class ContractError(AssertionError):
    """A component breaks its contract; the message lists every property that does not hold."""

    def __init__(self, component: str, failures: Mapping[str, str]) -> None:
        """Compose the message.

        Args:
            component: Name of its class.
            failures: Why each property does not hold, by the name of its test.
        """
        self.failures = dict(failures)
        lines = [f"  {name.removeprefix('test_').replace('_', ' ')}: {why}" for name, why in failures.items()]
        count = "1 property does" if len(failures) == 1 else f"{len(failures)} properties do"
        super().__init__("\n".join([f"{component}: {count} not hold", *lines]))


class Contract(Generic[C]):
    """The properties of every kind of component.

    Inherit the contract of the kind and say what to make::

        class TestNovelty(RewardContract):
            def make(self):
                return Novelty(since=1990)

    A property that does not apply is skipped. What is drawn is the same in every run.
    """

    time_limit: ClassVar[float] = 60.0
    """Seconds after which a call that has not returned is taken to hang; not a measure of speed."""
    lines_per_unit: ClassVar[int] = 200_000
    """Latency budget: lines of Python that may be executed for one unit of input (a completion, a question,
    a row). Lines are counted, not seconds, so that a busy machine changes nothing."""
    growth: ClassVar[float] = 2.0
    """How much more than eight times the lines may be executed for eight times the input."""
    examples: ClassVar[int] = 25
    """How many examples are drawn for a property that holds of all inputs."""
    deterministic: ClassVar[bool | None] = None
    """Whether the same call gives the same answer; None: what the component declares, else yes."""

    shrinks: ClassVar[bool] = False
    """Whether the smallest example that fails is looked for, which takes a few hundred calls."""

    _changes: ClassVar[set[str]]
    _repeats: ClassVar[bool]

    def make(self) -> C:
        """Return the component, new each time."""
        raise NotImplementedError(f"{type(self).__name__}.make must return the component to check")

    @abstractmethod
    def inputs(self, size: int = 6) -> tuple[Any, ...]:
        """Return the arguments of a call, made anew, of *size* units."""

    @abstractmethod
    def call(self, component: C, *inputs: Any) -> Any:
        """Call the component and return all that it answers."""

    def answer(self, component: C, *inputs: Any) -> Any:
        """Call *component*; a property about what it answers is not tried where it never does."""
        try:
            return self._watched(component, *inputs)
        except (Exception, SystemExit) as error:
            if self._why_unanswered() is None:
                raise AssertionError(f"it fails: {_described(error)}") from error
            raise SkipTest("it does not answer at all; see test_it_answers") from error

    def _watched(self, component: C, *inputs: Any) -> Any:
        """Call *component*, and note what this changes in the process, be it once for all calls."""
        if "_changes" not in vars(type(self)):
            type(self)._changes = set()
        try:
            with time_limit(self.time_limit), noting_changes(self._changes):
                return self.call(component, *inputs)
        except PluginTimeoutError as late:  # which no test runner would take for a failure of one test
            raise TimeoutError(str(late)) from late

    def _why_unanswered(self) -> str | None:
        """Return why an ordinary call fails, None if it does not."""
        try:
            self._watched(self.make(), *self.inputs())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a plugin raises is reported
            if _is_late(error):
                return f"it has not answered after {self.time_limit:g} seconds"
            return f"it fails: {_described(error)}"
        return None

    def test_it_answers(self) -> None:
        """An ordinary call returns, within the time limit."""
        why = self._why_unanswered()
        assert why is None, why

    def test_the_same_call_gives_the_same_answer(self) -> None:
        """Two calls with equal inputs give equal answers."""
        component = self.make()
        if not self._is_deterministic(component):
            raise SkipTest("it does not declare to be deterministic")
        first = snapshot(self.answer(component, *self.inputs()))
        again = snapshot(self.answer(component, *self.inputs()))
        assert first == again, f"a second call with the same inputs differs: {difference(first, again)}"

    def test_what_it_is_given_stays_as_it_was(self) -> None:
        """Lists, records, verdicts, masks and rows are shared with every other component."""
        inputs = self.inputs()
        before = snapshot(inputs)
        self.answer(self.make(), *inputs)
        after = snapshot(inputs)
        assert before == after, f"it changes what it is given: {difference(before, after)}"

    def test_the_process_stays_as_it_was(self) -> None:
        """Nothing is printed, and no seed, thread, variable, warning filter or setting is left behind."""
        component, inputs = self.make(), self.inputs()
        left = [*output_of(lambda: self.answer(component, *inputs)), *sorted(self._changes)]
        assert not left, "; ".join(left)

    def test_it_can_be_pickled(self) -> None:
        """It travels to other processes, and answers there what it answers here."""
        component = self.make()
        answered = snapshot(self.answer(component, *self.inputs()))
        try:
            copy = pickle.loads(pickle.dumps(self.make()))  # noqa: S301 - written a moment ago
        except Exception as error:
            raise AssertionError(f"it cannot be pickled: {_described(error)}") from error
        if self._repeats_itself():
            copied = snapshot(self.answer(copy, *self.inputs()))
            assert answered == copied, f"a pickled copy answers differently: {difference(answered, copied)}"

    def test_work_grows_no_faster_than_its_input(self) -> None:
        """Eight times the input takes about eight times the work, and each unit a bounded amount."""
        few, many = 8, 64
        little = self._lines(few)
        much = self._lines(many)
        assert much <= self.growth * 8 * max(little, 50), (
            f"for {few} units it executes {little} lines of Python, for {many} units {much}: work must grow "
            "in proportion"
        )
        assert much <= self.lines_per_unit * many, (
            f"it executes {much // many} lines of Python for each unit of input; the budget is "
            f"{self.lines_per_unit} (lines_per_unit)"
        )

    def _lines(self, size: int) -> int:
        component = self.make()
        self.answer(component, *self.inputs(2))
        inputs = self.inputs(size)
        return lines_executed(lambda: self.answer(component, *inputs))

    def hold(self, property_of: Callable[..., None], *strategies: SearchStrategy[Any]) -> None:
        """Try a property on drawn examples, the same ones in every run."""
        self.skip_unless_it_repeats_itself()
        tried = settings(
            max_examples=self.examples,
            phases=(Phase.generate, Phase.shrink) if self.shrinks else (Phase.generate,),
            derandomize=True,
            database=None,
            deadline=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        )(given(*strategies)(property_of))
        tried()

    def skip_unless_it_repeats_itself(self) -> None:
        """Skip a property that compares answers where they are never the same."""
        if not self._repeats_itself():
            raise SkipTest("it answers otherwise each time; see test_the_same_call_gives_the_same_answer")

    def _repeats_itself(self) -> bool:
        """Tell whether the component, made anew, answers as before."""
        if "_repeats" not in vars(type(self)):
            first, again = (snapshot(self.answer(self.make(), *self.inputs())) for _ in range(2))
            type(self)._repeats = first == again
        return self._repeats

    def _is_deterministic(self, component: C) -> bool:
        if self.deterministic is not None:
            return self.deterministic
        return bool(getattr(type(component), "deterministic", True))


def _is_late(error: BaseException | None) -> bool:
    """Tell whether an error, or what it was raised from, is that the time limit has passed."""
    while error is not None:
        if isinstance(error, PluginTimeoutError):
            return True
        error = error.__cause__
    return False


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def properties_of(contract: type[Contract[Any]]) -> list[str]:
    """Return the names of a contract's properties, those of every kind first."""
    names = [name for cls in reversed(contract.__mro__) for name in vars(cls) if name.startswith("test_")]
    return list(dict.fromkeys(names))


class Tried(NamedTuple):
    """What has become of each property of a contract that holds, does not, or does not apply."""

    held: tuple[str, ...]
    failures: dict[str, str]
    """Why each property that does not hold does not, by the name of its test."""
    inapplicable: dict[str, str]
    """Why each property that was not tried was not, by the name of its test."""


def failures_of(contract: type[Contract[C]], component: C, **samples: Any) -> dict[str, str]:
    """Try every property, and return the reason for each one that does not hold; see :func:`tried_on`."""
    return tried_on(contract, component, **samples).failures


def tried_on(contract: type[Contract[C]], component: C, **samples: Any) -> Tried:
    """Try every property on *component*.

    Args:
        contract: The contract of its kind.
        component: Built as a run would build it.
        samples: Attributes of the contract that differ, such as ``titles`` or ``rows``.
    """

    def make(self: Contract[C]) -> C:
        return component if self._is_deterministic(component) else copy.deepcopy(component)

    tried = type(contract.__name__, (contract,), {"make": make, **samples})()
    held: list[str] = []
    failures: dict[str, str] = {}
    inapplicable: dict[str, str] = {}
    for name in properties_of(contract):
        try:
            getattr(tried, name)()
        except SkipTest as skipped:
            inapplicable[name] = str(skipped)
        except Exception as error:  # noqa: BLE001 - the other properties are to be tried as well
            failures[name] = str(error) if isinstance(error, AssertionError) else _described(error)
        else:
            held.append(name)
    return Tried(tuple(held), failures, inapplicable)


def check(contract: type[Contract[C]], component: C, **samples: Any) -> None:
    """Try every property; see :func:`failures_of`.

    Raises:
        ContractError: It lists every property that does not hold.
    """
    if failures := failures_of(contract, component, **samples):
        raise ContractError(type(component).__name__, failures)
