import Files
import Records

/// Where the images of a batch transform come from.
public enum TransformInput: Hashable, Sendable {
  /// All images below a folder.
  case folder(String)
  /// The images of a `.lst` file, whose paths start from `root`.
  case list(String, root: String)
  /// The images in a `.rec` file.
  case records(String)
  /// SageMaker's manifest: `[{"prefix": "photos/"}, "a/1.jpg", "a/2.jpg"]`.
  case manifest(String)
}

/// One input as it comes from a `TransformInput`.
enum TransformItem {
  case image(Image)
  case unusable(Skip)
  /// Nothing that has an output: a record of labels.
  case ignored

  struct Image {
    /// For messages, and for the caller to find it again.
    let name: String
    /// Below the output folder.
    let output: String
    let content: Content
  }

  enum Content {
    case file(String)
    case bytes([UInt8])
  }

  /// An image file whose output is named by its path relative to the input, or why that path cannot name one.
  ///
  /// - Parameter place: where the path stands: "photos.lst:12".
  static func file(at path: String, named name: String, place: String?) -> TransformItem {
    if let fault = fault(inOutputPath: name) {
      return .unusable(Skip(path: place ?? name, reason: fault))
    }
    // One spelling of a path for each output: "./a//b.jpg" is "a/b.jpg".
    let parts = name.utf8.split(separator: UInt8(ascii: "/")).filter { !$0.elementsEqual(".".utf8) }
    let output = parts.map { String(Substring($0)) }.joined(separator: "/") + ".out"
    return .image(Image(name: name, output: output, content: .file(path)))
  }
}

/// Why an output of this relative path could lie elsewhere than in the output folder; nil for one that cannot.
private func fault(inOutputPath path: String) -> String? {
  let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
  if path.utf8.first == UInt8(ascii: "/") {
    return "\(path) is an absolute path; the output is named by the path, so it has to be a relative one"
  }
  if parts.contains(where: { $0.elementsEqual("..".utf8) }) {
    return "\(path) leads upwards by '..'; the output would lie outside the output folder"
  }
  if parts.last.map({ $0.isEmpty || $0.elementsEqual(".".utf8) }) ?? true {
    return "'\(path)' is the path of a folder; that of an image is expected"
  }
  return path.utf8.contains(0) ? "the path holds a NUL byte" : nil
}
