import Glibc
import Search

/// Minimises a function by a strategy and prints the regret after each evaluation; or prints a value of a function.
@main
struct SearchRegret {
  private static let usage = """
    usage: search-regret FUNCTION Bayesian|Random SEEDS EVALUATIONS
           search-regret value FUNCTION VALUE...
    functions: \(Function.all.keys.sorted().joined(separator: " "))

    """

  static func main() throws {
    let words = Array(CommandLine.arguments.dropFirst())
    if words.count > 2, words[0] == "value", let function = Function.all[words[1]] {
      print(function.value(try zip(function.parameters(), words.dropFirst(2)).map { try $0.value(of: $1) }))
      return
    }
    guard words.count == 4, let strategy = Strategy(rawValue: words[1]),
      let function = Function.all[words[0]],
      let seeds = Int(words[2]), let evaluations = Int(words[3])
    else {
      print(usage)
      exit(64)
    }
    for seed in 0..<max(seeds, 0) {
      let plan = try Plan(
        Space(function.parameters()), strategy: strategy, direction: .minimize, jobs: evaluations,
        parallelJobs: 1,
        seed: seed)
      let (regrets, seconds) = search(plan, function, evaluations)
      print(
        "{\"function\": \"\(words[0])\", \"who\": \"\(strategy.rawValue)\", \"seed\": \(seed), "
          + "\"seconds\": \(seconds), \"regrets\": \(regrets)}")
    }
  }

  private static func search(_ plan: Plan, _ function: Function, _ evaluations: Int) -> ([Double], Double) {
    let proposer = Proposer(plan)
    var history = History()
    var best = Double.infinity
    var regrets: [Double] = []
    let clock = ContinuousClock()
    let begun = clock.now
    for _ in 0..<evaluations {
      guard let configuration = proposer.next(history) else { break }
      let value = function.value(configuration.values)
      best = min(best, value)
      regrets.append(best - function.least)
      history.finished.append(Observation(configuration, score: value))
    }
    return (regrets, (clock.now - begun) / .seconds(1))
  }
}
