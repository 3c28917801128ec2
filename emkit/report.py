"""What a fit tells people: rows about how it went, the distinct optima, then the estimates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import tree
from emkit.space import Fixed, spaces_of
from emkit.space.assignment import boundary_notes, outside

#: A model whose text is no longer than this is shown with everything it holds.
ONE_LINE = 100
#: A gap below this is not worth its digits.
NEGLIGIBLE_GAP = 1e-12
#: Numbers of this size have no decimals in double precision.
NO_DECIMALS = 2.0**53
#: How many distinct optima are listed.
MAX_OPTIMA = 5
#: Estimates that are all smaller than this are shown in powers of ten: six decimals leave nothing of them.
SMALL = 1e-2


def summary(result: Any) -> str:
    """Return the report as plain text."""
    rows = report_rows(result)
    if len(result.optima) > 1:
        # Directly below the row that counts the starts.
        place = next(i for i, (label, _) in enumerate(rows) if label == "starts") + 1
        rows.insert(place, ("optima", _columns(optimum_rows(result))))
    width = max(len(label) for label, _ in rows)
    lines = [f"{label:<{width}}  {_indented(text, width + 2)}" for label, text in rows]
    paragraphs = [_paragraph(name, value) for name, value in estimates(result)]
    return "\n".join([*lines, "", *paragraphs])


def report_rows(result: Any) -> list[tuple[str, str]]:
    """Return label and text of every row about the fit as a whole."""
    name = getattr(result.model, "objective_name", "log-likelihood")
    rows = [("model", describe_model(result.model)), (name, number_text(result.log_likelihood))]
    if result.objective != result.log_likelihood and not np.isnan(result.objective):
        rows.append(("objective", f"{number_text(result.objective)} (with log-prior)"))
    rows.append(("parameters", str(result.n_parameters)))
    if result.n_observations is not None:
        rows.append(("observations", f"{result.n_observations:g}"))
        if result.n_observations > 0:
            rows.append(("BIC", number_text(result.bic, 4)))
    rows += [("AIC", number_text(result.aic, 4)), ("status", result.message), ("work", _work(result))]
    if result.n_rejected:
        rows.append(("rejected", f"{_count(result.n_rejected, 'proposal')} of the accelerator"))
    if np.isfinite(result.rate):
        rows.append(("EM rate", f"about {result.rate:.4f}, estimated gap {describe_gap(result.gap)}"))
    if len(result.starts) > 1:
        rows.append(("starts", _starts(result)))
    return [*rows, *(("note", note) for note in result.notes)]


def optimum_rows(result: Any) -> list[tuple[str, str, str]]:
    """Return objective, number of starts and status of the distinct optima, best first, below a row of headings."""
    shown = [
        (number_text(optimum.objective), str(optimum.n_found), _standing(optimum))
        for optimum in result.optima[:MAX_OPTIMA]
    ]
    left = len(result.optima) - len(shown)
    more = [(f"and {left} more", "", "")] if left else []
    return [("objective", "found", "status"), *shown, *more]


def estimates(result: Any) -> list[tuple[str, NDArray[Any]]]:
    """Return name and value of every estimate; constants of the fit are left out."""
    spaces = spaces_of(result.model, result.params)
    leaves = tree.leaves(result.params)
    return [(tree.path_name(path), np.asarray(leaf)) for path, leaf in leaves if not isinstance(spaces[path], Fixed)]


def reordered_notes(
    result: Any, params: Any, order: NDArray[np.intp], axes: Mapping[tree.Path, tuple[int, ...]]
) -> tuple[str, ...]:
    """Return the notes of a result whose component k, which lies along ``axes``, was ``order[k]`` before.

    What the spaces and the model have to say is said anew, of the params as they are now. Of what the climb noticed on
    its way there are only the sentences: in them entries get their new names.
    """
    here = _notes_at(result.model, result.params, ())
    of_climb = (_renamed(note, order, axes) for note in result.notes if note not in here)
    return _notes_at(result.model, params, tuple(of_climb))


def _notes_at(model: Any, params: Any, of_climb: Sequence[str]) -> tuple[str, ...]:
    wrong = outside(model, params)
    notes = (wrong,) if wrong else (*boundary_notes(spaces_of(model, params), params), *of_climb)
    own = getattr(model, "notes", None)
    return notes if own is None else (*notes, *(own(params) or ()))


def _renamed(note: str, order: NDArray[np.intp], axes: Mapping[tree.Path, tuple[int, ...]]) -> str:
    """Return a sentence in which entries, written as in ``means[2, 0]``, have the places they have now."""
    axes_of = {tree.path_name(path): which for path, which in axes.items()}
    place_of = np.argsort(order)

    def entry(match: re.Match[str]) -> str:
        name, indices = match[1], [int(index) for index in match[2].split(", ")]
        for axis in axes_of[name]:
            if axis < len(indices):
                indices[axis] = int(place_of[indices[axis]])
        return f"{name}[{', '.join(map(str, indices))}]"

    names = "|".join(re.escape(name) for name in sorted(axes_of, key=len, reverse=True))
    return re.sub(rf"(?<![\w.])({names})\[(\d+(?:, \d+)*)\]", entry, note)


def number_text(number: float, decimals: int = 6) -> str:
    """Return a number with so many decimals, or with all its digits and a power of ten if it has none."""
    return f"{number:.{decimals}f}" if not abs(number) >= NO_DECIMALS else repr(float(number))


def array_text(value: NDArray[Any]) -> str:
    """Return an array, or a number, with six decimals, or with six digits if all of it is small."""
    with np.printoptions(precision=6, suppress=not is_small(value), threshold=60, edgeitems=3, linewidth=100):
        # A number alone ignores the print options; an array of one does not.
        return str(value) if value.ndim else str(value[None])[1:-1].strip()


def is_small(value: NDArray[Any]) -> bool:
    """Return whether six decimals would leave nothing of an array."""
    return value.size > 0 and bool(np.abs(value).max() < SMALL)


def describe_model(model: Any) -> str:
    """Return the model's text, short if it would not fit on a line; or its class where the text is Python's own."""
    text = repr(model)
    if " object at 0x" in text:
        # Python's own repr tells an address, which says nothing about the model.
        return f"{type(model).__name__}()"
    return text if len(text) <= ONE_LINE else _brief(model, is_whole=True)


def _brief(value: Any, *, is_whole: bool = False) -> str:
    """Return a text that leaves out what is at its default, but for what a reader asks for first.

    That is the first field and the parts of the whole, and parts without settings, which are choices themselves. Texts
    that their authors have written stay as they are.
    """
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key!r}: {_brief(part)}' for key, part in value.items())}}}"
    if type(value) in {list, tuple}:
        inner = ", ".join(map(_brief, value)) + ("," if type(value) is tuple and len(value) == 1 else "")
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    if not _is_written_by_attrs(value):
        return re.sub(r"\s*\n\s*", " ", repr(value))
    shown = []
    for place, field in enumerate(field for field in attrs.fields(type(value)) if field.repr and field.init):
        part = getattr(value, field.name)
        is_part = attrs.has(type(part))
        is_main = (is_whole and (place == 0 or is_part)) or (is_part and not attrs.fields(type(part)))
        if (is_main and not field.kw_only) or not _is_default(value, field):
            shown.append(f"{field.alias}={_brief(part)}")
    return f"{type(value).__name__}({', '.join(shown)})"


def _is_written_by_attrs(value: Any) -> bool:
    return attrs.has(type(value)) and "generated by attrs" in (type(value).__repr__.__doc__ or "")


def _is_default(value: Any, field: attrs.Attribute[Any]) -> bool:
    """Return whether a field looks as its default would, once converted."""
    default: Any = field.default
    if default is attrs.NOTHING:
        return False
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        default = default.factory(value) if default.takes_self else default.factory()
    try:
        plain = attrs.evolve(value, **{str(field.alias): default})
    except (TypeError, ValueError):
        # Where parts must agree, one cannot be put back alone.
        return False
    return repr(getattr(plain, field.name)) == repr(getattr(value, field.name))


def describe_status(status: Any) -> str:
    """Return a status in a word or two."""
    text: str = status.name.lower().replace("_", " ")
    return text


def describe_gap(gap: float) -> str:
    """Return an estimated remaining gain in words."""
    if not np.isfinite(gap):
        return "unknown"
    return f"{gap:.1g} nats" if gap > NEGLIGIBLE_GAP else f"below {NEGLIGIBLE_GAP:g} nats"


def _standing(optimum: Any) -> str:
    floor = ", rests on a floor" if optimum.rests_on_floor else ""
    return describe_status(optimum.status) + floor


def _work(result: Any) -> str:
    steps = f"{result.n_e_steps} E-steps, {_count(result.n_iter, 'accepted step')}"
    if len(result.starts) > 1:
        steps += f" (all starts: {sum(start.n_e_steps for start in result.starts)} E-steps)"
    return f"{steps}, {result.elapsed:.3g} s"


def _starts(result: Any) -> str:
    reached = [start for start in result.starts if abs(start.objective - result.objective) <= 1e-4]
    failed = [start for start in result.starts if start.status is None]
    short = [start for start in result.starts if start.status is not None and start.status.name == "SHORT_RUN"]
    text = f"{len(reached)} of {len(result.starts) - len(short)} reached this objective"
    if short:
        text += f", {len(short)} ended after a short run"
    return f"{text}, {len(failed)} failed" if failed else text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _columns(rows: list[tuple[str, str, str]]) -> str:
    """Return rows of cells as lines, numbers flush right."""
    first, second = (max(len(row[place]) for row in rows) for place in (0, 1))
    return "\n".join(f"{a:>{first}}  {b:>{second}}  {c}".rstrip() for a, b, c in rows)


def _indented(text: str, width: int) -> str:
    """Return a text whose further lines begin where its first one does."""
    return text.replace("\n", "\n" + " " * width)


def _paragraph(name: str, value: NDArray[Any]) -> str:
    text = array_text(value)
    return f"{name} = {text}" if "\n" not in text else f"{name} =\n{text}"
