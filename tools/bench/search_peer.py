#!/usr/bin/env python3
"""Minimises the functions of search_functions.py by Optuna's GPSampler or scikit-optimize's gp_minimize, as both are by
default.

  search_peer.py optuna|skopt FUNCTION --seeds 0:50 --evaluations 30

One JSON line a seed: {"function","who","seed","seconds","regrets":[least value so far - the function's least]}.
"""
import argparse
import json
import time
import warnings

import search_functions


def optuna(function, parameters, seed, count):
    import optuna as library
    library.logging.set_verbosity(library.logging.ERROR)
    warnings.filterwarnings("ignore")
    found = []

    def objective(trial):
        values = []
        for name, kind, *rest in parameters:
            if kind == "real":
                values.append(trial.suggest_float(name, rest[0], rest[1], log=rest[2] == "log"))
            elif kind == "integer":
                values.append(trial.suggest_int(name, rest[0], rest[1], log=rest[2] == "log"))
            else:
                values.append(trial.suggest_categorical(name, rest[0]))
        found.append(function(*values))
        return found[-1]

    library.create_study(sampler=library.samplers.GPSampler(seed=seed)).optimize(objective, n_trials=count)
    return found


def skopt(function, parameters, seed, count):
    import skopt as library
    warnings.filterwarnings("ignore")
    space = []
    for name, kind, *rest in parameters:
        prior = {"log": "log-uniform", "linear": "uniform"}
        if kind == "real":
            space.append(library.space.Real(rest[0], rest[1], prior=prior[rest[2]], name=name))
        elif kind == "integer":
            space.append(library.space.Integer(rest[0], rest[1], prior=prior[rest[2]], name=name))
        else:
            space.append(library.space.Categorical(rest[0], name=name))
    result = library.gp_minimize(lambda values: function(*values), space, n_calls=count, random_state=seed)
    return list(result.func_vals)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("who", choices=["optuna", "skopt"])
    parser.add_argument("function", choices=search_functions.FUNCTIONS)
    parser.add_argument("--seeds", default="0:50")
    parser.add_argument("--evaluations", type=int, default=30)
    found = parser.parse_args()
    function, least, parameters = search_functions.FUNCTIONS[found.function]
    for seed in range(*map(int, found.seeds.split(":"))):
        begun = time.perf_counter()
        values = {"optuna": optuna, "skopt": skopt}[found.who](function, parameters, seed, found.evaluations)
        regrets, best = [], float("inf")
        for value in values:
            best = min(best, value)
            regrets.append(best - least)
        print(json.dumps({"function": found.function, "who": found.who, "seed": seed,
                          "seconds": time.perf_counter() - begun, "regrets": regrets}), flush=True)


if __name__ == "__main__":
    main()
