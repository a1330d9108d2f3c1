import Glibc
import Search

/// Minimises a function by a strategy: prints one JSON line a seed with the regret after each evaluation.
@main
struct SearchRegret {
  static func main() throws {
    let words = Array(CommandLine.arguments.dropFirst())
    guard words.count == 4, let strategy = Strategy(rawValue: words[1]), let function = Function.all[words[0]],
      let seeds = Int(words[2]), let evaluations = Int(words[3])
    else {
      print("usage: search-regret FUNCTION Bayesian|Random SEEDS EVALUATIONS; functions: "
          + Function.all.keys.sorted().joined(separator: " "))
      exit(64)
    }
    let space = try Space(function.parameters())
    for seed in 0..<seeds {
      let plan = try Plan(
        space, strategy: strategy, direction: .minimize, jobs: evaluations, parallelJobs: 1, seed: seed)
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
      let seconds = (clock.now - begun) / .seconds(1)
      print(
        "{\"function\": \"\(words[0])\", \"who\": \"\(strategy.rawValue)\", \"seed\": \(seed), "
          + "\"seconds\": \(seconds), \"regrets\": \(regrets)}")
    }
  }
}
