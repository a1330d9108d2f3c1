import Encodings
import Files
import FoundationEssentials

/// SageMaker's manifest of inputs: `[{"prefix": "photos/"}, "a/1.jpg", "a/2.jpg"]`.
///
/// An input is the prefix and the path, joined without anything in between, as keys of S3 are.
package struct Manifest {
  /// A path; `file://` is taken off.
  package let prefix: String
  package let paths: [String]

  private static let largestByteCount = 256 << 20

  /// - Throws: `FileError`; `ManifestError`.
  package init(_ path: String) throws {
    let bytes = try readFile(path, limit: Self.largestByteCount).bytes
    let elements: [Element]
    do {
      elements = try JSONDecoder().decode([Element].self, from: Data(bytes))
    } catch {
      throw ManifestError("\(path): \(Self.sentence(error))")
    }
    guard case .prefix(let prefix)? = elements.first else {
      throw ManifestError("\(path): the first element is no {\"prefix\": ...}, with which a manifest begins")
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

  private static func sentence(_ error: any Error) -> String {
    guard let error = error as? DecodingError else { return "\(error)" }
    switch error {
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
      .dataCorrupted(let context):
      let place = context.codingPath.first?.intValue.map { "element \($0 + 1): " } ?? ""
      return place + "this is no manifest; [{\"prefix\": \"photos/\"}, \"a/1.jpg\", ...] is expected"
    @unknown default: return "\(error)"
    }
  }

  private static func path(ofPrefix prefix: String) throws(ManifestError) -> String {
    do throws(ReferenceFault) {
      return try localPath(ofReference: prefix)
    } catch {
      switch error {
      case .scheme(let name):
        throw ManifestError(
          "the prefix is in \(name)://, which is not read here; a path or file:// is expected")
      case .malformed: throw ManifestError("the prefix \(prefix) is no file:///path")
      }
    }
  }
}

/// What is wrong with a manifest, in a sentence.
public struct ManifestError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}
