import Encodings
import Files

extension HyperparameterSet {
  /// The hyperparameter that SageMaker gives to the trainings of a tuning: its objective. It says nothing to a training.
  public static let tuningMark = "_tuning_objective_metric"

  /// The defaults of the algorithm, of the recipe if one is given, and these values.
  ///
  /// - Parameter pairs: names and values as text; of a name that is given more than once the last counts. An empty
  ///   value, and "None", stand for a hyperparameter that is not given.
  /// - Throws: an unknown name, with the nearest; a value that is none, in SageMaker's words; `num_classes` or
  ///   `num_training_samples` missing, unless `isComplete` is false.
  public init(
    _ pairs: some Sequence<(name: String, value: String)>, isComplete: Bool = true
  ) throws(TrainingError) {
    self.init()
    var texts: [String: String] = [:]
    for (name, value) in pairs where name != Self.tuningMark {
      guard Self.table.contains(where: { $0.name == name }) else { throw Self.unknown(name) }
      let text = unquoted(value)
      texts[name] = text.isEmpty || text == "None" ? nil : text
    }
    if let text = texts["recipe"] {
      try set("recipe", text)
      if let shape = texts["image_shape"] { try set("image_shape", shape) }
      let values = recipe?.values(for: imageShape, resizes: texts["resize"] != nil) ?? []
      for (name, value) in values where texts[name] == nil { try set(name, value) }
    }
    for hyperparameter in Self.table {
      if let text = texts[hyperparameter.name] { try set(hyperparameter.name, text) }
    }
    guard isComplete else { return }
    for name in ["num_classes", "num_training_samples"] where !given.contains(name) {
      throw TrainingError("The hyperparameter '\(name)' is required, and no value is given for it")
    }
  }

  /// Reads SageMaker's `hyperparameters.json`: one object, all values text; numbers and truth values are taken too.
  public init(json: [UInt8], isComplete: Bool = true) throws(TrainingError) {
    try self.init(Self.pairs(json: json), isComplete: isComplete)
  }

  /// Names and values of such a file, sorted by name; for one who adds to them.
  public static func pairs(json: [UInt8]) throws(TrainingError) -> [(name: String, value: String)] {
    let values: [String: JSON]
    do throws(JSONError) { values = try JSON.decode([String: JSON].self, from: json) } catch {
      throw TrainingError(
        "The hyperparameters are no JSON object such as {\"num_classes\": \"10\", \"epochs\": \"5\"}: \(error)"
      )
    }
    var pairs: [(name: String, value: String)] = []
    for (name, value) in values.sorted(by: { $0.key < $1.key }) {
      guard let text = Self.text(value) else {
        throw TrainingError(
          "The value of the '\(name)' hyperparameter is neither text nor a number; \"...\" is expected")
      }
      pairs.append((name, text))
    }
    return pairs
  }

  /// Text, or what stands for it.
  private static func text(_ value: JSON) -> String? {
    switch value {
    case .string(let text): text
    case .bool(let truth): truth ? "1" : "0"
    case .integer, .number: value.integer.map { "\($0)" } ?? value.number.map { shortest($0) }
    case .null, .list, .object: nil
    }
  }

  package mutating func set(_ name: String, _ text: String) throws(TrainingError) {
    guard let hyperparameter = Self.table.first(where: { $0.name == name }) else { throw Self.unknown(name) }
    let kind = hyperparameter.kind
    guard let value = HyperparameterValue(text, kind) else {
      throw TrainingError(
        "The value '\(text)' is not valid for the '\(name)' hyperparameter which expects one of the following: "
          + "\(kind.expectation) (caused by ValidationError)")
    }
    hyperparameter.set(&self, value)
    given.insert(name)
  }

  private static func unknown(_ name: String) -> TrainingError {
    let advice =
      nearest(to: name, among: names).map { "; did you mean '\($0)'?" }
      ?? "; the known ones are \(shortList(names))"
    return TrainingError("The hyperparameter '\(name)' is not known\(advice)")
  }
}

/// Without the quotes that SageMaker's client puts round text in the jobs of a tuning.
private func unquoted(_ text: String) -> String {
  text.utf8.count >= 2 && text.hasPrefix("\"") && text.hasSuffix("\"")
    ? String(text.dropFirst().dropLast()) : text
}

extension HyperparameterSet {
  /// The values that were given or are not the defaults, as text by name.
  public var texts: [String: String] {
    let usual = HyperparameterSet()
    var texts: [String: String] = [:]
    for hyperparameter in Self.table {
      let value = hyperparameter.get(self)
      if given.contains(hyperparameter.name) || value != hyperparameter.get(usual) {
        texts[hyperparameter.name] = value?.text
      }
    }
    return texts
  }
}
