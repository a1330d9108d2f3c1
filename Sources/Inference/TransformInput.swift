import Encodings
package import Files
import Imaging
package import Records

/// Where the images of a batch transform come from.
public enum TransformInput: Sendable {
  /// All images below a folder.
  case folder(String)
  /// The images of a `.lst` file, whose paths start from `root`.
  case list(String, root: String)
  /// The images in a `.rec` file.
  case records(String)
  /// SageMaker's manifest: `[{"prefix": "photos/"}, "a/1.jpg", "a/2.jpg"]`.
  case manifest(String)
  /// Single files; an output is named by `name`, with `.out` appended.
  case files([(name: String, path: String)])
}

/// One input of a batch transform.
package enum TransformItem {
  case image(Image)
  /// It cannot be sent to the model, for this reason.
  case unusable(Skip)
  /// It has no output: a record of labels.
  case ignored

  package struct Image {
    /// For messages, by which the caller can find it again.
    let name: String
    /// The path of its output below the output folder.
    let output: String
    let content: Content
  }

  package enum Content {
    case file(String)
    case bytes([UInt8])
  }

  /// An image file whose output is named by its path relative to the input, or why that path cannot name one.
  ///
  /// - Parameter place: where the path is listed: "photos.lst:12".
  static func file(at path: String, named name: String, place: String?) -> TransformItem {
    if let fault = fault(inOutputPath: name) {
      return .unusable(Skip(path: place ?? name, reason: fault))
    }
    // One spelling for each output: "./a//b.jpg" is "a/b.jpg".
    let parts = name.utf8.split(separator: UInt8(ascii: "/")).filter { !$0.elementsEqual(".".utf8) }
    let output = parts.map { String(Substring($0)) }.joined(separator: "/") + ".out"
    return .image(Image(name: name, output: output, content: .file(path)))
  }
}

/// Why an output with this path could lie outside the output folder; nil where it cannot.
private func fault(inOutputPath path: String) -> String? {
  let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
  if path.utf8.first == UInt8(ascii: "/") {
    return "\(path) is an absolute path; outputs are named by the paths, so a relative one is expected"
  }
  if parts.contains(where: { $0.elementsEqual("..".utf8) }) {
    return "\(path) contains '..'; the output could lie outside the output folder"
  }
  if parts.last.map({ $0.isEmpty || $0.elementsEqual(".".utf8) }) ?? true {
    return "'\(path)' is the path of a folder; that of an image is expected"
  }
  return path.utf8.contains(0) ? "the path contains a NUL byte" : nil
}

/// Reads the inputs of a batch transform one after the other.
package protocol TransformReader: AnyObject {
  /// The next input; nil at the end.
  func next() throws -> TransformItem?
  /// The number of inputs; nil where it is not known before the end.
  var total: Int? { get }
  /// The share of the input that has been read, 0...1.
  var fraction: Double { get }
  /// The folder that contains all files; nil where there is none.
  var root: InputRoot? { get }
  /// Files of a folder that are not read, by kind.
  var passedOver: [PassedOver] { get }
  /// What a user should know of the input.
  var warnings: [String] { get }
}

extension TransformReader {
  package var passedOver: [PassedOver] { [] }
  package var warnings: [String] { [] }
}

extension TransformInput {
  /// Opens the input for reading.
  ///
  /// - Throws: `ScanError`, `FileError`, `ManifestError`; `PackingError` where a list is not one.
  package func open() throws -> any TransformReader {
    switch self {
    case .folder(let root): try ListedInputs(folder: root)
    case .list(let path, let root): try ListInputs(path, root: root)
    case .records(let path): try RecordInputs(path)
    case .manifest(let path): try ListedInputs(manifest: path)
    case .files(let files): ListedInputs(files: files)
    }
  }
}

/// Inputs that are known from the start.
private final class ListedInputs: TransformReader {
  private let items: [(path: String, name: String, place: String?)]
  private let problems: [Skip]
  private var taken = 0
  let root: InputRoot?
  let passedOver: [PassedOver]
  let warnings: [String]

  /// The images below a folder, told by the extensions of their names.
  init(folder: String) throws {
    let scan = try FolderScan(root: folder, layout: .images)
    root = try InputRoot(folder)
    passedOver = scan.passedOver
    warnings = folderWarnings(scan)
    items = scan.images.map { (join(folder, $0.path), $0.path, nil) }
    problems = scan.problems.map { Skip(path: $0.path, reason: $0.reason) }
  }

  init(manifest path: String) throws {
    let manifest = try Manifest(path)
    items = manifest.paths.enumerated().map { index, name in
      (manifest.prefix + name, name, "\(path): element \(index + 2)")
    }
    problems = []
    // Where the prefix is not a folder, each image is missing by itself.
    root = try? InputRoot(folderName(manifest.prefix + "-"))
    (passedOver, warnings) = ([], [])
  }

  init(files: [(name: String, path: String)]) {
    items = files.map { ($0.path, $0.name, nil) }
    (problems, passedOver, warnings, root) = ([], [], [], nil)
  }

  var total: Int? { items.count + problems.count }
  var fraction: Double { Double(taken) / Double(max(1, items.count + problems.count)) }

  func next() -> TransformItem? {
    defer { taken += 1 }
    if taken < problems.count { return .unusable(problems[taken]) }
    guard taken - problems.count < items.count else { return nil }
    let item = items[taken - problems.count]
    return .file(at: item.path, named: item.name, place: item.place)
  }
}

/// The lines of a `.lst` file.
private final class ListInputs: TransformReader {
  private var reader: ListReader
  private let list: String
  private let folder: String
  let root: InputRoot?
  let total: Int? = nil

  init(_ list: String, root: String) throws {
    try checkIsList(list)
    reader = try ListReader(list)
    self.list = list
    folder = root
    self.root = try InputRoot(root)
  }

  var fraction: Double { Double(reader.doneByteCount) / Double(max(1, reader.byteCount)) }

  func next() throws -> TransformItem? {
    switch try reader.next() {
    case nil: return nil
    case .bad(let reason, let line, _): return .unusable(Skip(path: "\(list):\(line)", reason: reason))
    case .entry(let entry, let line):
      let (file, path) = locate(entry.path, root: folder)
      return .file(at: file, named: path, place: "\(list):\(line)")
    }
  }
}

/// The records of a `.rec` file; an output is named by its record's ID.
private final class RecordInputs: TransformReader {
  private var reader: RecordReader
  private var ids = IDSet()
  private let path: String
  let total: Int? = nil
  let root: InputRoot? = nil

  init(_ path: String) throws {
    reader = try RecordReader(path)
    self.path = path
  }

  var fraction: Double { Double(reader.offset) / Double(max(1, reader.byteCount)) }

  func next() throws -> TransformItem? {
    guard let streamed = try StreamedRecord.next(&reader) else { return nil }
    do throws(RecordError) {
      let record = try ImageRecord(streamed)
      if record.isLabelRecord { return .ignored }
      let id = record.header.id
      guard ids.insert(id) else {
        return .unusable(
          Skip(
            path: "\(path):\(record.offset)",
            reason: "an earlier record has the same ID, \(id), and its output has that name"))
      }
      let bytes = record.withImage { unsafe $0.withUnsafeBufferPointer { unsafe Array($0) } }
      return .image(.init(name: "\(id)", output: "\(id).out", content: .bytes(bytes)))
    } catch {
      return .unusable(Skip(path: "\(path):\(error.offset)", reason: error.sentence))
    }
  }
}

/// SageMaker's manifest of inputs: `[{"prefix": "photos/"}, "a/1.jpg", "a/2.jpg"]`.
///
/// An input is the prefix followed directly by the path, as keys of S3 are.
package struct Manifest {
  /// A path, without `file://`.
  package let prefix: String
  /// The paths after the prefix, in order.
  package let paths: [String]

  private static let largestByteCount = 256 << 20

  /// - Throws: `FileError`; `ManifestError`.
  package init(_ path: String) throws {
    let bytes = try readFile(path, limit: Self.largestByteCount).bytes
    let elements: [Element]
    do throws(JSONError) {
      elements = try JSON.decode([Element].self, from: bytes)
    } catch {
      throw ManifestError(
        "\(path): this is not a manifest; [{\"prefix\": \"photos/\"}, \"a/1.jpg\", ...] is expected: \(error)"
      )
    }
    guard case .prefix(let prefix)? = elements.first else {
      throw ManifestError("\(path): the first element is not {\"prefix\": ...}, with which a manifest begins")
    }
    do throws(ManifestError) {
      self.prefix = try Self.path(ofPrefix: prefix)
    } catch {
      throw ManifestError("\(path): \(error)")
    }
    paths = try elements.dropFirst().enumerated().map { index, element in
      guard case .path(let text) = element else {
        throw ManifestError("\(path): element \(index + 2) is a second prefix; a path in quotes is expected")
      }
      return text
    }
  }

  private enum Element: Decodable {
    case prefix(String)
    case path(String)

    init(from decoder: any Decoder) throws {
      if let path = try? decoder.singleValueContainer().decode(String.self) {
        self = .path(path)
      } else {
        self = .prefix(try decoder.container(keyedBy: Key.self).decode(String.self, forKey: .prefix))
      }
    }

    private enum Key: String, CodingKey { case prefix }
  }

  private static func path(ofPrefix prefix: String) throws(ManifestError) -> String {
    do throws(ReferenceFault) {
      return try localPath(ofReference: prefix)
    } catch {
      switch error {
      case .scheme(let name):
        throw ManifestError(
          "the prefix has the scheme \(name)://, which is not supported; a path or file:// is expected")
      case .malformed: throw ManifestError("the prefix \(prefix) is not of the form file:///path")
      }
    }
  }
}

/// What is wrong with a manifest.
public struct ManifestError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A sentence.
  public let description: String

  init(_ description: String) { self.description = description }
}
