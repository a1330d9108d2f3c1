import Encodings
import Files

extension HyperparameterSet {
  /// The hyperparameter with which SageMaker marks the training jobs of a tuning job: its objective. Training ignores
  /// it.
  public static let tuningMark = "_tuning_objective_metric"

  /// Starts with the defaults, applies the recipe if one is given, and then the given values.
  ///
  /// - Parameters:
  ///   - pairs: names and values as text. The last value of a repeated name counts. An empty value and "None" mean that
  ///     the hyperparameter is not given.
  ///   - isComplete: whether `num_classes` and `num_training_samples` must be given.
  /// - Throws: `TrainingError` for an unknown name (with the most similar one), for an invalid value (in SageMaker's
  ///   words), and for a missing required name.
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
      throw TrainingError("The hyperparameter '\(name)' is required, but no value is given for it")
    }
  }

  /// Parses SageMaker's `hyperparameters.json`: one JSON object whose values are strings; numbers and booleans are
  /// accepted too.
  ///
  /// - Throws: as `init(_:isComplete:)`; `TrainingError` if the bytes are not such an object.
  public init(json: [UInt8], isComplete: Bool = true) throws(TrainingError) {
    try self.init(Self.pairs(json: json), isComplete: isComplete)
  }

  /// Parses such a file into names and values, sorted by name, without checking them.
  ///
  /// - Throws: `TrainingError` if the bytes are not a JSON object of strings, numbers and booleans.
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
          "The value of the '\(name)' hyperparameter is neither a string nor a number; a string is expected")
      }
      pairs.append((name, text))
    }
    return pairs
  }

  /// A JSON string, number or boolean as text; nil for other values.
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
      ?? "; known names are \(shortList(names))"
    return TrainingError("The hyperparameter '\(name)' is not known\(advice)")
  }
}

/// Removes the quotes that SageMaker's SDK puts around strings in tuning jobs.
private func unquoted(_ text: String) -> String {
  text.utf8.count >= 2 && text.hasPrefix("\"") && text.hasSuffix("\"")
    ? String(text.dropFirst().dropLast()) : text
}

extension HyperparameterSet {
  /// The values that were given or differ from their defaults, as text by name.
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
