public import Encodings

/// A tuning so far: all that it needs to go on, and to be told of.
public struct TuningRecord: Codable, Hashable, Sendable {
  public enum Status: String, Codable, Sendable {
    case inProgress = "InProgress"
    case completed = "Completed"
    case failed = "Failed"
    case stopped = "Stopped"
  }
  /// The request, as it was given.
  public let request: JSON
  public var status = Status.inProgress
  public var jobs: [JobRecord] = []
  public var warmStart: [ParentRecord] = []
  /// Seconds since 1970.
  public var creationTime = 0.0
  public var endTime: Double?
  /// In which it ran, breaks not counted.
  public var runtimeSeconds = 0.0
  public var failureReason: String?
  /// What ended it before its last job.
  public var completionReason: String?
  public var convergenceTime: Double?

  public init(_ request: JSON) { self.request = request }
}

/// One job of a tuning.
public struct JobRecord: Codable, Hashable, Sendable {
  /// SageMaker's TrainingJobStatus.
  public enum Status: String, Codable, Sendable {
    /// Also one that was broken off with the whole tuning, and goes on with it.
    case inProgress = "InProgress"
    case completed = "Completed"
    case stopped = "Stopped"
    case failed = "Failed"
  }
  /// From 1.
  public let number: Int
  public let name: String
  /// TunedHyperParameters.
  public let tuned: [String: String]
  /// Of several TrainingJobDefinitions the one that it is of, from 0.
  public var definition: Int?
  public var status = Status.inProgress
  /// The objective after each epoch.
  public var curve: [Double] = []
  /// The objective of the model that it has; nil before the first epoch. May be NaN.
  public var objective: Double?
  /// Hyperband's: epochs in all, up to which it is trained now or was trained last.
  public var resource: Int?
  /// Hyperband's: the objective at the end of each rung.
  public var rungs: [Double] = []
  public var creationTime = 0.0
  public var startTime: Double?
  public var endTime: Double?
  public var failureReason: String?
  /// The median rule stopped it.
  public var wasStoppedEarly = false

  init(number: Int, name: String, tuned: [String: String]) {
    (self.number, self.name, self.tuned) = (number, name, tuned)
  }

  /// A number, where the job has one.
  public var score: Double? { status == .failed ? nil : objective.flatMap { $0.isFinite ? $0 : nil } }
}

/// An earlier tuning whose jobs are known from the start.
public struct ParentRecord: Codable, Hashable, Sendable {
  public struct Job: Codable, Hashable, Sendable {
    public let name: String
    /// Static and tuned values together.
    public let values: [String: String]
    public let score: Double?
  }
  public let name: String
  /// Its jobs are as good as this tuning's own.
  public let isIdentical: Bool
  public let jobs: [Job]
}

extension TuningRecord {
  /// The best of the completed jobs; where none is completed, of the stopped ones. The first of equals.
  public func best(_ isBetter: (Double, Double) -> Bool) -> JobRecord? {
    for status in [JobRecord.Status.completed, .stopped] {
      var best: (job: JobRecord, score: Double)?
      for job in jobs where job.status == status {
        guard let score = job.score else { continue }
        if best.map({ isBetter(score, $0.score) }) ?? true { best = (job, score) }
      }
      if let best { return best.job }
    }
    return nil
  }

  /// The jobs that have, in that order.
  var ended: [JobRecord] {
    jobs.filter { $0.status != .inProgress }
      .sorted { ($0.endTime ?? 0, $0.number) < ($1.endTime ?? 0, $1.number) }
  }

  public func count(_ status: JobRecord.Status) -> Int { jobs.count { $0.status == status } }
}

/// The name of a job: `<tuning>-<NNN>-<8 hex>`, the last of the seed and the number, so that a run can be repeated.
func jobName(_ tuning: String, number: Int, seed: UInt64) -> String {
  // SplitMix64 (Steele, Lea, Flood 2014).
  var word = seed &+ UInt64(number) &* 0x9e37_79b9_7f4a_7c15
  word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
  word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
  word ^= word >> 31
  let (digits, hex) = ("\(number)", String(word >> 32, radix: 16))
  let zeros = { (count: Int) in String(repeating: "0", count: max(0, count)) }
  return "\(tuning)-\(zeros(3 - digits.count))\(digits)-\(zeros(8 - hex.count))\(hex)"
}
