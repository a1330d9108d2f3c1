import Encodings
import Files
package import Hyperparameters
import Records

/// One line of an augmented manifest.
package struct ManifestEntry {
  /// The path of the image: as the line has it, or taken from a file:// URL.
  package let path: String
  private let values: [String: JSON]
  private let options: ManifestOptions
  private let place: String

  /// - Parameter place: file and line, for errors.
  package init(
    _ line: some Collection<UInt8>, _ options: ManifestOptions, at place: String
  ) throws(TrainingError) {
    do throws(JSONError) {
      values = try JSON.decode([String: JSON].self, from: Array(line))
    } catch {
      throw TrainingError(
        "\(place): this is no JSON object such as {\"source-ref\": \"photos/1.jpg\", \"class\": 0}: \(error)")
    }
    guard case .string(let reference)? = values[options.image] else {
      throw TrainingError("\(place): there is no \"\(options.image)\" with the path of an image")
    }
    do throws(ReferenceFault) {
      path = try localPath(ofReference: reference)
    } catch {
      switch error {
      case .scheme(let name):
        throw TrainingError(
          "\(place): the image is in \(name)://, which is not read here; a path or file:// is expected")
      case .malformed: throw TrainingError("\(place): \(reference) is no file:///path")
      }
    }
    (self.options, self.place) = (options, place)
  }

  /// - Parameters:
  ///   - choice: which attribute is the label.
  ///   - classCount: of multi-label data; nil where an image has one label.
  package func labels(_ choice: inout LabelChoice, classCount: Int?) throws(TrainingError) -> [Double] {
    let name = try choice.name(among: values.keys, except: options.image, at: place)
    guard let value = values[name] else { throw TrainingError("\(place): there is no \"\(name)\"") }
    guard let labels = Self.labels(value) else {
      throw TrainingError("\(place): \"\(name)\" is no number and no list of numbers")
    }
    guard let classCount, options.labelsAreClassIDs else { return labels }
    var present = [Double](repeating: 0, count: classCount)
    for label in labels {
      guard let number = Int(exactly: label), present.indices.contains(number) else {
        throw TrainingError(
          "\(place): \"\(name)\" holds \(shortest(label)); with num_classes \(classCount) whole numbers from 0 to "
            + "\(classCount - 1) are expected")
      }
      present[number] = 1
    }
    return present
  }

  /// A list may stand in quotes, as SageMaker's labelling jobs write it.
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

/// The attribute that is the label in every line of a manifest.
package struct LabelChoice {
  private let given: String?
  /// All attribute names that the lines so far have.
  private var names: Set<ByteName> = []
  private var found: String?

  package init(_ options: ManifestOptions) { given = options.label }

  /// - Throws: where none or more than one may be it, also where only a later line shows that.
  mutating func name(
    among keys: some Sequence<String>, except image: String, at place: String
  ) throws(TrainingError) -> String {
    if let given { return given }
    let count = names.count
    for key in keys where !hasSameBytes(key, image) { names.insert(ByteName(key)) }
    if let found, names.count == count { return found }
    switch LabelAttribute(among: names.map(\.text)) {
    case .none: throw TrainingError("\(place): there is no label")
    case .several(let candidates): throw Self.ambiguous(candidates, place)
    case .named(let name):
      if let found, !hasSameBytes(found, name) { throw Self.ambiguous([found, name], place) }
      found = name
      return name
    }
  }

  private static func ambiguous(_ candidates: [String], _ place: String) -> TrainingError {
    TrainingError(
      "\(place): any of the attributes \(shortList(candidates.map { "\"\($0)\"" })) may be the label, and nothing "
        + "says which",
      lacks: .label)
  }
}
