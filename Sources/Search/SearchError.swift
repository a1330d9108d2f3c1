/// What is wrong with the ranges or the limits of a search. The names are those of SageMaker's request.
public struct SearchError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong.
  public enum Reason: Hashable, Sendable {
    /// No parameter has a range.
    case noParameters
    /// More parameters than SageMaker tunes at once.
    case tooManyParameters(Int, limit: Int)
    /// Two ranges have one name.
    case repeatedParameter
    /// A bound is not a finite number, or not an integer where it must be one.
    case notANumber(bound: String, text: String, wanted: String)
    /// The least value is not below the largest.
    case invertedRange(minimum: String, maximum: String)
    /// Logarithmic scaling of values that have no logarithm.
    case logarithmOf(minimum: String)
    /// ReverseLogarithmic scaling outside of 0 <= x < 1.
    case reverseLogarithmOf(minimum: String, maximum: String)
    /// ReverseLogarithmic scaling of integers.
    case reverseLogarithmOfIntegers
    /// A word that names no scaling, strategy or objective type.
    case unknownWord(String, of: String, known: [String])
    /// A categorical range with no value, or too many.
    case categoryCount(Int, limit: Int)
    /// A category that is listed twice.
    case repeatedCategory(String)
    /// A value, perhaps of an earlier search, that is not of the parameter's kind.
    case unfitValue(String, wanted: String)
    /// Grid with a range that has no list of values.
    case gridOfRange
    /// Grid with a number of jobs other than the number of combinations.
    case gridSize(jobs: Int, combinations: String)
    /// Fewer configurations than jobs.
    case tooFewCombinations(Int, jobs: Int)
    /// Fewer than one job.
    case jobCount(Int)
    /// Fewer than one parallel job.
    case parallelCount(Int)
    case moreParallelThanJobs(parallel: Int, jobs: Int)
    /// Hyperband without bounds of its resource.
    case hyperbandWithoutResource
    /// Bounds of Hyperband's resource that are not 1 <= minimum < maximum.
    case hyperbandResource(minimum: Int, maximum: Int)
    /// Hyperband together with early stopping.
    case hyperbandStopsEarly
    /// Hyperband's settings with another strategy.
    case strategyConfiguration(strategy: String)
    /// A negative seed.
    case seed(Int)
  }

  /// What is wrong.
  public let reason: Reason
  /// The parameter that has the error; `nil` where the search as a whole has it.
  public let parameter: String?

  /// - Parameter parameter: see the property.
  public init(_ reason: Reason, parameter: String? = nil) {
    self.reason = reason
    self.parameter = parameter
  }

  /// The parameter and what is wrong, in SageMaker's words where they are known.
  public var description: String { parameter.map { "\($0): \(sentence)" } ?? sentence }

  private var sentence: String {
    switch reason {
    case .noParameters: "ParameterRanges has no range; there is nothing to tune"
    case .tooManyParameters(let count, let limit):
      "ParameterRanges has \(count) ranges, at most \(limit) are allowed"
    case .repeatedParameter: "this hyperparameter has more than one range"
    case .notANumber(let bound, let text, let wanted): "\(bound) is [\(text)], \(wanted) is expected"
    case .invertedRange(let minimum, let maximum):
      "MinValue [\(minimum)] must be less than MaxValue [\(maximum)]"
    case .logarithmOf(let minimum):
      "Logarithmic scaling works only for ranges of values greater than 0, MinValue is [\(minimum)]"
    case .reverseLogarithmOf(let minimum, let maximum):
      "ReverseLogarithmic scaling works only for ranges within 0 <= x < 1.0,"
        + " MinValue is [\(minimum)], MaxValue is [\(maximum)]"
    case .reverseLogarithmOfIntegers:
      "ReverseLogarithmic scaling works only for continuous ranges, this one is of integers"
    case .unknownWord(let word, let what, let known):
      "Value '\(word)' at '\(what)' failed to satisfy constraint: Member must satisfy enum value set:"
        + " [\(known.joined(separator: ", "))]"
    case .categoryCount(let count, let limit): "the range has \(count) values, 1 to \(limit) are expected"
    case .repeatedCategory(let value): "the value [\(value)] is there more than once"
    case .unfitValue(let value, let wanted): "[\(value)] is no value of this range, \(wanted) is expected"
    case .gridOfRange: "Grid takes categorical ranges only, this one has no list of values"
    case .gridSize(let jobs, let combinations):
      "Grid makes one job of each combination: MaxNumberOfTrainingJobs is [\(jobs)],"
        + " it must be [\(combinations)] or absent"
    case .tooFewCombinations(let combinations, let jobs):
      "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter combinations"
        + " for the provided ranges [\(combinations)] must be equal or greater than the value of"
        + " MaxNumberOfTrainingJobs, [\(jobs)]. Provide additional ranges."
    case .jobCount(let count): "MaxNumberOfTrainingJobs is [\(count)], at least 1 is expected"
    case .parallelCount(let count): "MaxParallelTrainingJobs is [\(count)], at least 1 is expected"
    case .moreParallelThanJobs(let parallel, let jobs):
      "MaxParallelTrainingJobs [\(parallel)] must not be greater than MaxNumberOfTrainingJobs [\(jobs)]"
    case .hyperbandWithoutResource:
      "Hyperband needs a MaxResource; StrategyConfig has none, and none of epochs, numepochs, n-epochs, n_epochs and"
        + " num_epochs is a static hyperparameter"
    case .hyperbandResource(let minimum, let maximum):
      "Hyperband's MinResource [\(minimum)] must be at least 1 and less than its MaxResource [\(maximum)]"
    case .hyperbandStopsEarly:
      "TrainingJobEarlyStoppingType must be Off with Hyperband, which stops jobs itself"
    case .strategyConfiguration(let strategy):
      "StrategyConfig has a HyperbandStrategyConfig, the strategy is [\(strategy)]"
    case .seed(let seed): "RandomSeed is [\(seed)], at least 0 is expected"
    }
  }
}
