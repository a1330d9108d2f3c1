import Hyperparameters
import Search

extension TuningRequest {
  /// Refuses names and values that the trainer does not know, before the first job.
  ///
  /// - Throws: `TrainingError`, in SageMaker's words, with the nearest name; `TuningError` of Hyperband with a schedule
  ///   that a further epoch would change.
  public func checkHyperparameters() throws {
    for definition in definitions {
      do { try definition.checkOwn() } catch {
        guard definitions.count > 1 else { throw error }
        throw TuningError("The definition '\(definition.definitionName ?? "")': \(error)")
      }
    }
  }

  private func checkOwn() throws {
    let first = plan.space.parameters.map { ($0.name, ends($0)) }
    let usual = first.map { (name: $0.0, value: $0.1.first ?? "") }
    let fixed = statics.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
    let common = try HyperparameterSet(fixed + usual, isComplete: false)
    try common.check()
    // With one label an image, the largest label says it.
    if common.multiLabel, common.numClasses == 0 {
      throw TuningError("num_classes is required with multi_label; write it into StaticHyperParameters")
    }
    for (name, values) in first {
      for value in values {
        do {
          try HyperparameterSet(fixed + usual + [(name: name, value: value)], isComplete: false).check()
        } catch {
          throw TuningError("The range of '\(name)' has the value \(value): \(error)")
        }
      }
    }
    guard plan.strategy == .hyperband, let resource = plan.resource else { return }
    guard !plan.space.parameters.contains(where: { $0.name == "epochs" }) else {
      throw TuningError(
        "The range of 'epochs' cannot act with Hyperband, which says how many there are; leave it out")
    }
    let values = try HyperparameterSet(
      fixed + usual + [(name: "epochs", value: "\(resource.minimum)")], isComplete: false)
    try values.check()
    guard values.lrSchedule == .step, values.progressiveStart == nil else {
      throw TuningError(
        "Hyperband trains a job further with more epochs; lr_schedule must be 'step' for it, and progressive_start absent"
      )
    }
  }

  /// What a user should know before the first job: ranges that cannot act, and scales on which most draws are wasted.
  public func warnings() -> [String] {
    let all = definitions
    return all.flatMap { definition in
      definition.ownWarnings().map { all.count > 1 ? "\(definition.definitionName ?? ""): \($0)" : $0 }
    }
  }

  private func ownWarnings() -> [String] {
    var found = inertRanges()
    for parameter in plan.space.parameters {
      guard case .continuous(let range) = parameter.domain else { continue }
      if parameter.name == "weight_decay", parameter.effectiveScaling == .linear, range.upperBound > 0.05 {
        found.append(
          "weight_decay is drawn from \(range.lowerBound) to \(range.upperBound) evenly: nearly all draws are above 0.01,"
            + " with which a network learns nothing. Write \"MinValue\": \"1e-6\", \"MaxValue\": \"0.01\","
            + " \"ScalingType\": \"Logarithmic\"")
      }
      if parameter.name == "learning_rate", parameter.effectiveScaling == .linear,
        range.upperBound >= 100 * max(range.lowerBound, 1e-6)
      {
        found.append(
          "learning_rate is drawn from \(range.lowerBound) to \(range.upperBound) evenly: nine of ten draws are above"
            + " \(range.upperBound / 10). Write \"ScalingType\": \"Logarithmic\", and a MinValue above 0")
      }
    }
    if plan.strategy == .bayesian, let jobs = plan.jobs, jobs == plan.parallelJobs, jobs > 1 {
      found.append(
        "all \(jobs) jobs begin at once, so none can learn from another: Bayesian is Random here. Write a smaller"
          + " MaxParallelTrainingJobs")
    }
    return found
  }

  /// Parameters that the trainer calls without effect, whatever optimizer a job may have.
  private func inertRanges() -> [String] {
    let optimizers =
      plan.space.parameters.first { $0.name == "optimizer" }.map(ends)
      ?? [statics["optimizer"] ?? HyperparameterSet.OptimizerName.sgd.rawValue]
    var found: [String] = []
    for parameter in plan.space.parameters {
      let reasons = optimizers.map { optimizer -> String? in
        var values = statics.map { (name: $0.key, value: $0.value) }
        values.append((name: parameter.name, value: ends(parameter).last ?? ""))
        values.append((name: "optimizer", value: optimizer))
        let start = "\(parameter.name) has no effect: "
        let all = (try? HyperparameterSet(values, isComplete: false))?.warnings().map(\.description) ?? []
        return all.first { $0.hasPrefix(start) }.map { String($0.dropFirst(start.count)) }
      }
      let known = reasons.compactMap { $0 }
      guard known.count == optimizers.count, let reason = known.first else { continue }
      found.append("the range of \(parameter.name) cannot act: \(reason). \(Self.remedy(parameter.name))")
    }
    return found
  }

  private static func remedy(_ name: String) -> String {
    let optimizers: [String]
    switch name {
    case "beta_1", "beta_2": optimizers = ["adam"]
    case "gamma": optimizers = ["rmsprop"]
    case "eps": optimizers = ["adam", "rmsprop"]
    case "momentum", "weight_decay": optimizers = ["sgd", "nag"]
    default: return "Leave it out"
    }
    let words = optimizers.map { "\"\($0)\"" }.joined(separator: " or ")
    return
      "Leave it out, or write \"optimizer\": \(words) into StaticHyperParameters, or a categorical range of optimizer"
  }

  /// The values at the ends of a range; all of a category's.
  private func ends(_ parameter: Parameter) -> [String] {
    switch parameter.domain {
    case .continuous(let range): [range.lowerBound, range.upperBound].map { Value.real($0).description }
    case .integer(let range): [range.lowerBound, range.upperBound].map { Value.whole($0).description }
    case .categorical(let values): values
    }
  }
}
