/// The report of a hyperparameter tuning as one HTML file; what holds for `ScoreReport` holds for it: complete without its
/// script, no request to anywhere, the same bytes for the same figures.
public struct TuningReport: Sendable {
  public struct Parameter: Sendable {
    public var name: String
    /// "Logarithmic"
    public var scaling: String
    public var isCategorical = false
    /// Words at places of 0...1: the ends of a range, or its categories.
    public var ticks: [(place: Double, words: String)] = []
    /// Shares of the objective's variance; nil with too few jobs.
    public var importance: (alone: Double, total: Double)?

    public init(name: String, scaling: String) { (self.name, self.scaling) = (name, scaling) }
  }
  public struct Job: Sendable {
    /// From 1.
    public var number: Int
    public var name: String
    /// SageMaker's TrainingJobStatus.
    public var status: String
    /// One a parameter.
    public var values: [String] = []
    /// Where these are in 0...1, on the parameter's scale.
    public var places: [Double?] = []
    /// nil where there is none, or no number.
    public var objective: Double?
    public var epochs = 0
    public var seconds: Double?
    public var isBest = false
    public var wasStoppedEarly = false
    /// Of a failure.
    public var reason: String?

    public init(number: Int, name: String, status: String) {
      (self.number, self.name, self.status) = (number, name, status)
    }
  }
  public var name: String
  /// The name of the objective.
  public var metric: String
  public var isMaximized = true
  /// SageMaker's HyperParameterTuningJobStatus.
  public var status = "InProgress"
  /// Why it failed or ended before its last job.
  public var note: String?
  public var strategy = ""
  public var plannedJobs: Int?
  public var seconds = 0.0
  public var parameters: [Parameter] = []
  /// In the order of their numbers.
  public var jobs: [Job] = []
  /// Hyperparameters that are the same for all jobs.
  public var settings: [(name: String, value: String)] = []
  public var details: [(name: String, value: String)] = []

  public init(name: String, metric: String) { (self.name, self.metric) = (name, metric) }

  /// The file, UTF-8.
  public func html() -> String { TuningPage(self).page().html() }
}
