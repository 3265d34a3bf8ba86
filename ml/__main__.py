"""``python -m ml``: everything about data, networks and bundles, without Django."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ml import bundle, data_commands, predict_command
from ml.errors import MlError
from ml.labels import CLASSES
from ml.predictor import NOTICE, Predictor

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0, or 1 where something was refused with a code."""
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # off by default where there is no AVX-512
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what goes wrong is raised as well
    chosen = _parser().parse_args(arguments)
    command: Command = chosen.command
    try:
        return command(chosen)
    except MlError as error:
        print(f"{error.code}: {error.detail}", file=sys.stderr)
        return 1


def predict(chosen: argparse.Namespace) -> int:
    predictor = Predictor.load(_bundle(chosen))
    whole = predict_command.predict(predictor, chosen.files, as_json=chosen.json, overlays=chosen.overlays)
    return 0 if whole else 1


def evaluate(chosen: argparse.Namespace) -> int:
    from ml import evaluate as measure
    from ml import report

    predictor = Predictor.load(_bundle(chosen))
    found, failed = measure.answers(predictor, chosen.data, measure.folder_rows(chosen.data))
    for bad in failed:
        print(f"{bad.path}: {bad.code}: {bad.detail}", file=sys.stderr)
    if not found.outcomes:
        return 1
    result = {"model_version": predictor.version, "labels": list(CLASSES), **measure.figures(found)}
    result["failed"] = [vars(bad) for bad in failed]
    print(report.as_text({chosen.data.name: result}))
    print(NOTICE)
    _save(chosen.json, result)
    return 1 if failed else 0


def verify(chosen: argparse.Namespace) -> int:
    predictor = Predictor.load(chosen.bundle)
    predictor.warm_up()
    print(f"{predictor.version} sha256:{predictor.sha256} is whole and gives its reference answer.")
    return 0


def train(chosen: argparse.Namespace) -> int:
    from ml import recipe

    found = recipe.read(chosen.recipe)
    from ml import train as training

    print(training.train(found, chosen.data, chosen.out))
    return 0


def release(chosen: argparse.Namespace) -> int:
    from ml import export as exporting
    from ml import release as releasing

    planned = releasing.read(chosen.release)
    if chosen.plan:
        for name in releasing.trainings(planned):
            print(f"train {releasing.RUNS / name}")
        for one in planned:
            print(f"export {chosen.bundles / one.version}: {', '.join(one.recipes)}")
        return 0
    _tell(exporting.log)
    for directory in releasing.make(chosen.release, chosen.data, chosen.bundles):
        print(directory)
    return 0


def study(chosen: argparse.Namespace) -> int:
    from ml import study as studies

    print(studies.run(chosen.study, chosen.data, chosen.out).as_markdown())
    return 0


def export(chosen: argparse.Namespace) -> int:
    from ml import export as exporting

    _tell(exporting.log)
    print(
        exporting.export(
            chosen.runs,
            chosen.version,
            chosen.data,
            chosen.bundles,
            calibrated_by=chosen.calibrated_by,
            close_up=chosen.close_up,
        )
    )
    return 0


def report(chosen: argparse.Namespace) -> int:
    from ml import report as reporting

    predictor = Predictor.load(_bundle(chosen))
    metrics = reporting.recorded(predictor) if chosen.recorded else reporting.figures(predictor, chosen.data)
    write = reporting.as_markdown if chosen.markdown else reporting.as_text
    print(f"{predictor.version}\n\n{write(metrics)}\n\n{NOTICE}")
    _save(chosen.json, metrics)
    if chosen.plots is not None:
        reporting.draw(metrics, chosen.plots)
    return 0


def hard(chosen: argparse.Namespace) -> int:
    from ml import report as reporting

    predictor = Predictor.load(_bundle(chosen))
    table = reporting.hard(predictor, chosen.data, held=chosen.held, every=chosen.every)
    print(f"{predictor.version}\n\n{table.as_markdown()}\n\n{NOTICE}")
    return 0


def bench(chosen: argparse.Namespace) -> int:
    from ml import bench as benching

    figures = benching.bench(_bundle(chosen), chosen.data, rounds=chosen.rounds, slices=chosen.slices)
    print(benching.as_markdown(figures))
    _save(chosen.json, figures)
    return 0


def aggregate(chosen: argparse.Namespace) -> int:
    from ml import volumes

    predictor = Predictor.load(_bundle(chosen))
    where = (chosen.data, chosen.fold)
    if chosen.slices:
        scans = volumes.pieces(*where, chosen.slices)
    elif chosen.thin:
        scans = volumes.thin(*where, chosen.thin)
    else:
        scans = volumes.volumes(*where)
    judged = volumes.judge(predictor, chosen.data, scans)
    candidates = volumes.compare(judged, predictor.thresholds)
    print(f"{predictor.version}\n{volumes.as_markdown(judged, candidates)}\n{NOTICE}")
    _save(chosen.json, {"model_version": predictor.version, "candidates": candidates})
    return 0


def whole_heads(chosen: argparse.Namespace) -> int:
    from ml import whole_heads as heads

    predictor = Predictor.load(_bundle(chosen))
    print(f"{predictor.version}\n\n{heads.as_markdown(heads.judge(predictor, chosen.data))}\n\n{NOTICE}")
    return 0


def _tell(log: logging.Logger) -> None:
    """Print what is being made, and of everything else what is amiss."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)


def _step(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not one or more")
    return value


def _bundle(chosen: argparse.Namespace) -> Path:
    return chosen.bundle or bundle.default()


def _save(path: Path | None, value: dict[str, Any]) -> None:
    if path is not None:
        path.write_text(json.dumps(value, indent=1) + "\n", "utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m ml", description=f"Brain MRI slices. {NOTICE}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_asking(commands)
    _add_making(commands)
    data_commands.add(partial(_command, commands))
    return parser


def _add_asking(commands: Any) -> None:
    one = _command(
        commands, "predict", predict, "classify image files, ZIP archives and folders", bundle=True
    )
    one.add_argument("files", nargs="+", type=Path, metavar="FILE")
    one.add_argument("--overlays", type=Path, metavar="FOLDER", help="write pictures of what is outlined")
    one.add_argument("--json", action="store_true", help="one object a line, in the order given")
    many = _command(commands, "evaluate", evaluate, "measure on a folder of class folders", bundle=True)
    many.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    many.add_argument("--json", type=Path, metavar="OUT", help="also write the figures there")
    check = _command(commands, "verify", verify, "check a bundle's checksums and reference answer")
    check.add_argument("bundle", type=Path)


def _add_making(commands: Any) -> None:
    learn = _command(commands, "train", train, "train a recipe, or go on where it stopped")
    learn.add_argument("recipe", help="a name in ml/recipes or a TOML file")
    learn.add_argument("--out", type=Path, required=True, metavar="RUN")
    whole = _command(commands, "release", release, "train and export all that a release is made of")
    whole.add_argument("release", help="a name in ml/releases")
    whole.add_argument("--bundles", type=Path, default=Path("runs/bundles"), metavar="FOLDER")
    whole.add_argument("--plan", action="store_true", help="tell what would be made, and make nothing")
    many = _command(commands, "study", study, "train and compare the candidates of a study")
    many.add_argument("study", help="a name in ml/studies or a TOML file")
    many.add_argument("--out", type=Path, required=True, metavar="RUNS")
    seal = _command(commands, "export", export, "make a bundle of a training run")
    seal.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="several: they answer together")
    seal.add_argument("--version", required=True)
    seal.add_argument("--bundles", type=Path, default=bundle.BUNDLES)
    text = "whose temperature and thresholds hold, where the runs have learnt all patients"
    seal.add_argument("--calibrated-by", type=Path, metavar="BUNDLE", help=text)
    seal.add_argument(
        "--close-up",
        type=Path,
        metavar="RUN|BUNDLE",
        help="the run that outlines tumours from near, or a bundle's",
    )
    tell = _command(commands, "report", report, "figures of a bundle on what it has not learnt", bundle=True)
    tell.add_argument("--json", type=Path, metavar="OUT", help="also write the figures there")
    tell.add_argument("--markdown", action="store_true", help="tables for the documentation")
    tell.add_argument("--recorded", action="store_true", help="what the bundle says, without measuring it")
    tell.add_argument("--plots", type=Path, metavar="DIR", help="also draw reliability and coverage as PNG")
    test = _command(commands, "hard", hard, "figures on pictures made to look foreign", bundle=True)
    test.add_argument("--held", action="store_true", help="on the fold held out of training, for choices")
    test.add_argument("--every", type=_step, default=3, help="of so many slices one (default: 3)")
    pool = _command(commands, "aggregate", aggregate, "compare ways from slices to one answer", bundle=True)
    pool.add_argument("--fold", type=int, default=0, help="of dev, the one that the bundle has not learnt")
    kinds = pool.add_mutually_exclusive_group()
    kinds.add_argument("--slices", type=_step, help="pieces of so many slices instead of whole scans")
    kinds.add_argument("--thin", type=_step, help="as if tumours were only so many slices thick")
    pool.add_argument("--json", type=Path, metavar="OUT", help="also write the figures there")
    text = "answers to whole heads in thin slices, with planted tumours and without"
    thin = _command(commands, "whole-heads", whole_heads, text, bundle=True)
    race = _command(commands, "bench", bench, "measure the engines on a bundle's network", bundle=True)
    race.add_argument("--rounds", type=int, default=7, help="turns of every engine")
    race.add_argument("--slices", type=int, default=128, help="pictures on which the engines must agree")
    race.add_argument("--json", type=Path, metavar="OUT", help="also write the figures there")
    for parser in (learn, whole, many, seal, tell, test, pool, thin, race):
        parser.add_argument("--data", type=Path, default=Path("../shared/data"))


def _command(
    commands: Any, name: str, command: Command, text: str, *, bundle: bool = False
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=command)
    if bundle:
        parser.add_argument("--bundle", type=Path, metavar="DIR", help="default: the released bundle")
    return parser


if __name__ == "__main__":
    sys.exit(main())
