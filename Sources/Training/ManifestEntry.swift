import Files
import FoundationEssentials

/// One line of an augmented manifest: the image's path and its labels.
package struct ManifestEntry {
  package let path: String
  package let labels: [Double]

  /// - Parameters:
  ///   - place: file and line, for errors.
  ///   - classCount: of multi-label data; nil where an image has one label.
  package init(
    _ line: some Collection<UInt8>, _ options: ManifestOptions, at place: String, classCount: Int?
  ) throws(TrainingError) {
    let values: [String: Value]
    do {
      values = try JSONDecoder().decode([String: Value].self, from: Data(line))
    } catch {
      throw TrainingError(
        "\(place): this is no JSON object such as {\"source-ref\": \"photos/1.jpg\", \"class\": 0}")
    }
    let imageName = options.attributes?.image ?? "source-ref"
    guard case .text(let reference)? = values[imageName] else {
      throw TrainingError("\(place): there is no \"\(imageName)\" with the path of an image")
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
    let others = values.keys.filter { $0 != imageName && !$0.hasSuffix("-ref") && !$0.hasSuffix("-metadata") }
    guard let labelName = options.attributes?.label ?? others.min(), let value = values[labelName] else {
      throw TrainingError("\(place): there is no \(options.attributes.map { "\"\($0.label)\"" } ?? "label")")
    }
    guard let labels = value.labels else {
      throw TrainingError("\(place): \"\(labelName)\" is no number and no list of numbers")
    }
    guard let classCount, options.labelsAreClassIDs else {
      self.labels = labels
      return
    }
    var present = [Double](repeating: 0, count: classCount)
    for label in labels {
      guard let number = Int(exactly: label), present.indices.contains(number) else {
        throw TrainingError(
          "\(place): \"\(labelName)\" holds \(shortest(label)); with num_classes \(classCount) whole numbers from 0 to "
            + "\(classCount - 1) are expected")
      }
      present[number] = 1
    }
    self.labels = present
  }

  private enum Value: Decodable {
    case text(String)
    case number(Double)
    case numbers([Double])
    /// Metadata.
    case other

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let text = try? value.decode(String.self) {
        self = .text(text)
      } else if let number = try? value.decode(Double.self) {
        self = .number(number)
      } else if let numbers = try? value.decode([Double].self) {
        self = .numbers(numbers)
      } else {
        self = .other
      }
    }

    /// A list may stand in quotes, as SageMaker's labelling jobs write it.
    var labels: [Double]? {
      switch self {
      case .number(let number): [number]
      case .numbers(let numbers): numbers
      case .text(let text):
        Double(text).map { $0.isFinite ? [$0] : nil }
          ?? (try? JSONDecoder().decode([Double].self, from: Data(text.utf8)))
      case .other: nil
      }
    }
  }
}
