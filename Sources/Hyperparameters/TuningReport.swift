/// What the report of a hyperparameter tuning shows, as plain values: `Tuning` fills them in, `Reporting` makes the page.
public struct TuningReport: Sendable {
  /// A hyperparameter that was searched.
  public struct Parameter: Sendable {
    /// Its name.
    public var name: String
    /// The scale of its range, for example "Logarithmic".
    public var scaling: String
    /// Whether its values are categories.
    public var isCategorical = false
    /// Words at places in 0...1: points of a range, or categories.
    public var ticks: [(place: Double, words: String)] = []
    /// The shares of the objective's variance that it explains, alone and with its interactions; `nil` with too few
    /// jobs.
    public var importance: (alone: Double, total: Double)?

    /// A parameter with this name and scale.
    public init(name: String, scaling: String) { (self.name, self.scaling) = (name, scaling) }
  }
  /// A training job of the search.
  public struct Job: Sendable {
    /// The number of the job, from 1.
    public var number: Int
    /// The name of the training job.
    public var name: String
    /// SageMaker's TrainingJobStatus.
    public var status: String
    /// The value of each parameter; empty where the job does not have it.
    public var values: [String] = []
    /// The place of each value on its parameter's scale, 0...1; `nil` where there is none.
    public var places: [Double?] = []
    /// The objective; `nil` where there is none, or it is not a number.
    public var objective: Double?
    /// The number of epochs trained.
    public var epochs = 0
    /// The time that the job took; `nil` while it runs.
    public var seconds: Double?
    /// Whether this is the best job.
    public var isBest = false
    /// Whether early stopping ended the job.
    public var wasStoppedEarly = false
    /// Why the job failed.
    public var reason: String?

    /// A job without values.
    public init(number: Int, name: String, status: String) {
      (self.number, self.name, self.status) = (number, name, status)
    }
  }
  /// The name of the tuning.
  public var name: String
  /// The name of the objective.
  public var metric: String
  /// Whether a larger objective is better.
  public var isMaximized = true
  /// SageMaker's HyperParameterTuningJobStatus.
  public var status = "InProgress"
  /// Why the tuning failed, or ended before its last job.
  public var note: String?
  /// SageMaker's name of the search strategy.
  public var strategy = ""
  /// The number of jobs that are planned; `nil` where that is open.
  public var plannedJobs: Int?
  /// The time of the tuning so far.
  public var seconds = 0.0
  /// The hyperparameters that are searched.
  public var parameters: [Parameter] = []
  /// The jobs, in the order of their numbers.
  public var jobs: [Job] = []
  /// Hyperparameters with the same value in all jobs.
  public var settings: [(name: String, value: String)] = []
  /// Where the figures come from.
  public var details: [(name: String, value: String)] = []

  /// A report without jobs.
  public init(name: String, metric: String) { (self.name, self.metric) = (name, metric) }
}
