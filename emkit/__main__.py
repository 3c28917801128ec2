"""The command line: ``emkit models``, ``emkit fit MODEL DATA``, ``emkit check MODULE:OBJECT DATA``."""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs

from emkit import __version__, datasets
from emkit.driver import fit
from emkit.errors import EmkitError, UnknownModelError
from emkit.registry import available_models, load_model
from emkit.result import EMResult
from emkit.testing import survey

T = TypeVar("T")

#: The exit code of programs that stop because nobody reads their output: 128 + SIGPIPE.
_BROKEN_PIPE = 141
_DATA_HELP = f"a CSV, .npy or Parquet file, or one of the bundled {', '.join(datasets.names())}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0 on success, 1 if a fit did not converge or a law is broken, 2 on an error."""
    try:
        try:
            return _run(sys.argv[1:] if arguments is None else list(arguments))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough. Closed here, it is not flushed once more at exit.
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.close()
        return _BROKEN_PIPE


def _run(arguments: list[str]) -> int:
    try:
        # Only the parser may end the program; it does so after --help and after a wrong command.
        options = _parser(_never_exit(_model_of, arguments)).parse_args(arguments)
        status: int = _never_exit(options.run, options)
    except BrokenPipeError:
        raise
    except Exception as error:
        print(f"emkit: {_one_line(error)}", file=sys.stderr)
        return 2
    return status


def _never_exit(run: Callable[..., T], *arguments: Any) -> T:
    """Call what may run code of the user's; if that ends the program, it is an error like any other."""
    try:
        return run(*arguments)
    except SystemExit as error:
        msg = f"the model's own code ended the program, with exit code {error.code!r}"
        raise RuntimeError(msg) from error


def _one_line(error: Exception) -> str:
    """Return what an error says, after the name of its class unless it is of a kind that explains itself."""
    text = " ".join(str(error).split())
    if text and isinstance(error, EmkitError | ValueError | TypeError | OSError | ImportError | AttributeError):
        return text
    return f"{type(error).__name__}: {text}".rstrip(": ")


def _model_of(arguments: Sequence[str]) -> Any:
    """Return the model, or its class, of ``emkit fit MODEL ...`` and ``emkit check ...``: settings become options."""
    if len(arguments) < 2 or arguments[0] not in ("fit", "check") or arguments[1].startswith("-"):
        return None
    is_name = arguments[0] == "fit" and ":" not in arguments[1]
    return load_model(arguments[1]) if is_name else _imported(arguments[1])


def _parser(model: Any) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="emkit", description="Latent-variable models fitted by EM.")
    parser.add_argument("--version", action="version", version=f"emkit {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    models = commands.add_parser("models", help="list the models that installed packages register")
    models.set_defaults(run=_list_models)

    fitting = commands.add_parser("fit", help="fit a model to data and report; its settings are options too")
    fitting.add_argument("model", help="a name that `emkit models` lists, or MODULE:OBJECT; give it first")
    fitting.add_argument("data", help=_DATA_HELP)
    fitting.add_argument("--columns", help="names or numbers of the columns to use, separated by commas")
    fitting.add_argument("--tol", type=float, default=1e-6, help="gain in nats left at convergence (%(default)s)")
    fitting.add_argument("--max-iter", type=int, default=10_000, help="E-steps at most (%(default)s)")
    fitting.add_argument("--n-starts", type=int, default=1, help="number of starts (%(default)s)")
    fitting.add_argument("--seed", type=int, default=0, help="seed of the starts (%(default)s)")
    fitting.add_argument("--progress", action="store_true", help="show progress on stderr")
    fitting.add_argument("--save", metavar="FILE", help="write the result to FILE; emkit.load reads it")
    fitting.add_argument("--plot", metavar="FILE", help="write a picture to FILE (needs matplotlib)")
    fitting.set_defaults(run=_fit, chosen=model)

    checking = commands.add_parser("check", help="hold a model of your own to the laws")
    checking.add_argument("object", metavar="MODULE:OBJECT", help="a model or its class, or a registered name")
    checking.add_argument("data", help=_DATA_HELP)
    checking.add_argument("--columns", help="names or numbers of the columns to use, separated by commas")
    checking.set_defaults(run=_check, chosen=model)

    if isinstance(model, type):
        for command in (fitting, checking):
            _add_settings(command, model)
    return parser


def _settings(model: type) -> dict[str, inspect.Parameter]:
    """Return what the model's constructor takes, by option name."""
    parameters = inspect.signature(model).parameters.values()
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return {f"--{p.name.replace('_', '-')}": p for p in named}


def _add_settings(parser: argparse.ArgumentParser, model: type) -> None:
    taken = set(parser.format_help().split())
    group = parser.add_argument_group(f"settings of {model.__name__}")
    for option, parameter in _settings(model).items():
        is_required = parameter.default is parameter.empty
        default = "required" if is_required else f"default: {_default(model, parameter)!r}"
        # A setting named like an option of `fit` itself is still there, under a longer name.
        free = f"--model{option.removeprefix('-')}" if option in taken else option
        group.add_argument(
            free, dest=f"setting_{parameter.name}", type=_value, default=argparse.SUPPRESS, required=is_required,
            help=default.replace("%", "%%"), metavar="VALUE",
        )  # fmt: skip


def _default(model: type, parameter: inspect.Parameter) -> Any:
    """Return a default value; those that attrs makes anew for each object do not stand in the signature."""
    if parameter.default is not attrs.NOTHING:
        return parameter.default
    made = next(field.default for field in attrs.fields(model) if parameter.name in (field.name, field.alias))
    return made.factory() if isinstance(made, attrs.Factory) and not made.takes_self else made  # type: ignore[arg-type]


def _value(text: str) -> Any:
    """Return a Python literal, or the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return text


def _list_models(options: argparse.Namespace) -> int:
    entries = available_models()
    width = max((len(name) for name in entries), default=0)
    for name, entry in entries.items():
        source = f" ({entry.dist.name} {entry.dist.version})" if entry.dist else ""
        print(f"{name:<{width}}  {entry.value}{source}")
    return 0


def _fit(options: argparse.Namespace) -> int:
    if options.chosen is None:
        msg = "Name the model before its options: emkit fit MODEL DATA --OPTION VALUE."
        raise ValueError(msg)
    model = _with_settings(options)
    data = datasets.read(options.data)
    values, columns = _select(data, options.columns)
    result = fit(
        model,
        values,
        tol=options.tol,
        max_iter=options.max_iter,
        n_starts=options.n_starts,
        rng=options.seed,
        progress=options.progress,
    )
    print(f"data            {data.name}: {', '.join(columns)}")
    print(result.summary())
    _write(result, values, columns, options)
    return 0 if result.converged else 1


def _with_settings(options: argparse.Namespace) -> Any:
    """Return the chosen model; a class is called with the settings given as options."""
    if not isinstance(options.chosen, type):
        return options.chosen
    prefix = "setting_"
    settings = {name.removeprefix(prefix): v for name, v in vars(options).items() if name.startswith(prefix)}
    return options.chosen(**settings)


def _select(data: datasets.Dataset, wanted: str | None) -> tuple[Any, tuple[str, ...]]:
    if wanted is None:
        return data.values, data.columns
    places = []
    for name in wanted.split(","):
        text = name.strip()
        if text in data.columns:
            places.append(data.columns.index(text))
        elif text.isdecimal() and int(text) < len(data.columns):
            places.append(int(text))
        else:
            msg = f"{data.name} has no column {text!r}; it has {', '.join(data.columns)}."
            raise ValueError(msg)
    return data.values[:, places], tuple(data.columns[place] for place in places)


def _write(result: EMResult[Any], values: Any, columns: Sequence[str], options: argparse.Namespace) -> None:
    if options.save:
        result.save(options.save)
        print(f"\nsaved    {options.save}")
    if options.plot:
        result.plot(values, options.plot, columns)
        print(f"\npicture  {options.plot}")


def _check(options: argparse.Namespace) -> int:
    values, _ = _select(datasets.read(options.data), options.columns)
    report = survey(_with_settings(options), values)
    print(report)
    return 1 if report.broken else 0


def _imported(address: str) -> Any:
    """Return ``OBJECT`` of ``MODULE:OBJECT``; the name of a registered model will do as well."""
    module_name, _, name = address.partition(":")
    if not name:
        try:
            return load_model(address)
        except UnknownModelError:
            msg = f"Write MODULE:OBJECT, such as mymodels:PoissonMixture, or a registered name; {address!r} is neither."
            raise ValueError(msg) from None
    sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = _never_exit(importlib.import_module, module_name)
    except Exception as error:
        msg = f"{module_name!r} cannot be imported: {type(error).__name__}: {error}"
        raise ImportError(msg) from error
    for part in name.split("."):
        found = getattr(found, part)
    return found


if __name__ == "__main__":
    sys.exit(main())
