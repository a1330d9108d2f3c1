import Encodings
import Files
package import Hyperparameters
import Records

/// One line of a SageMaker augmented manifest.
package struct ManifestEntry {
  /// The path of the image as the line gives it, or the path of its file:// URL.
  package let path: String
  private let values: [String: JSON]
  private let options: ManifestOptions
  private let place: String

  /// - Parameter place: file and line, for error messages.
  /// - Throws: `TrainingError` if the line is not a JSON object or names no local image.
  package init(
    _ line: some Collection<UInt8>, _ options: ManifestOptions, at place: String
  ) throws(TrainingError) {
    do throws(JSONError) {
      values = try JSON.decode([String: JSON].self, from: Array(line))
    } catch {
      throw TrainingError(
        "\(place): not a JSON object such as {\"source-ref\": \"photos/1.jpg\", \"class\": 0}: \(error)")
    }
    guard case .string(let reference)? = values[options.image] else {
      throw TrainingError("\(place): the attribute \"\(options.image)\" with the image's path is missing")
    }
    do throws(ReferenceFault) {
      path = try localPath(ofReference: reference)
    } catch {
      switch error {
      case .scheme(let name):
        throw TrainingError(
          "\(place): \(name):// URLs are not supported for images; a path or a file:// URL is expected")
      case .malformed: throw TrainingError("\(place): \(reference) is not a valid file:///path URL")
      }
    }
    (self.options, self.place) = (options, place)
  }

  /// - Parameters:
  ///   - choice: decides which attribute is the label; shared by all lines.
  ///   - classCount: the number of classes of multi-label data; nil if an image has one label.
  /// - Returns: one label, or a 0 or 1 for each class.
  /// - Throws: `TrainingError` if the label is missing, ambiguous or invalid.
  package func labels(_ choice: inout LabelChoice, classCount: Int?) throws(TrainingError) -> [Double] {
    let name = try choice.name(among: values.keys, except: options.image, at: place)
    guard let value = values[name] else {
      throw TrainingError("\(place): the label attribute \"\(name)\" is missing")
    }
    guard let labels = Self.labels(value) else {
      throw TrainingError("\(place): \"\(name)\" is neither a number nor a list of numbers")
    }
    guard let classCount, options.labelsAreClassIDs else { return labels }
    var present = [Double](repeating: 0, count: classCount)
    for label in labels {
      guard let number = Int(exactly: label), present.indices.contains(number) else {
        throw TrainingError(
          "\(place): \"\(name)\" contains \(shortest(label)), but num_classes is \(classCount); whole numbers from 0 to "
            + "\(classCount - 1) are expected")
      }
      present[number] = 1
    }
    return present
  }

  /// SageMaker's labelling jobs write a list as a quoted string, so text is parsed too.
  private static func labels(_ value: JSON) -> [Double]? {
    switch value {
    case .integer, .number: return value.number.map { [$0] }
    case .list(let elements):
      let numbers = elements.compactMap { $0.number }
      return numbers.count == elements.count ? numbers : nil
    case .string(let text):
      if let number = Double(text) { return number.isFinite ? [number] : nil }
      return try? JSON.decode([Double].self, from: Array(text.utf8))
    case .null, .bool, .object: return nil
    }
  }
}

/// Decides which attribute is the label; the choice must be the same for every line of a manifest.
package struct LabelChoice {
  private let given: String?
  /// The attribute names of all lines so far, without the image's.
  private var names: Set<ByteName> = []
  private var found: String?

  package init(_ options: ManifestOptions) { given = options.label }

  /// - Throws: `TrainingError` if no attribute qualifies, or more than one does in this line or all lines so far.
  mutating func name(
    among keys: some Sequence<String>, except image: String, at place: String
  ) throws(TrainingError) -> String {
    if let given { return given }
    let count = names.count
    for key in keys where !hasSameBytes(key, image) { names.insert(ByteName(key)) }
    if let found, names.count == count { return found }
    switch LabelAttribute(among: names.map(\.text)) {
    case .none: throw TrainingError("\(place): there is no attribute that could be the label")
    case .several(let candidates): throw Self.ambiguous(candidates, place)
    case .named(let name):
      if let found, !hasSameBytes(found, name) { throw Self.ambiguous([found, name], place) }
      found = name
      return name
    }
  }

  private static func ambiguous(_ candidates: [String], _ place: String) -> TrainingError {
    TrainingError(
      "\(place): the label is ambiguous: it could be any of the attributes "
        + shortList(candidates.map { "\"\($0)\"" }),
      lacks: .label)
  }
}
