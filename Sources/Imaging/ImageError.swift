/// Why an image could not be read or written, and the byte of the file at which that was noticed.
///
/// The description is a sentence for the user, without the path, which the caller knows.
public struct ImageError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What can be wrong.
  public enum Reason: Hashable, Sendable {
    /// The file has no bytes.
    case empty
    /// The file is neither JPEG nor PNG; says what it looks like, for example "a GIF image".
    case unknownFormat(String)
    /// The file is a JPEG or PNG of a kind that cannot be decoded here, for example "a lossless JPEG".
    case unsupported(String)
    /// The file ends before the picture does.
    case truncated
    /// The compressed data are inconsistent; the decoder's message.
    case damaged(String)
    /// Decoding would take more work than any real picture needs: too many scans, or surplus compressed data.
    case excessive(String)
    /// Decoding took longer than the time limit.
    case timedOut
    /// The picture has more pixels than the limit; nothing was allocated for them.
    case tooLarge(width: Int, height: Int, limit: Int)
    /// The image, resized if a resize was asked for, is smaller than the shape (channels, height, width) of the
    /// tensor that is to be cropped from it.
    case smallerThanShape(width: Int, height: Int, shape: [Int])
    /// The pixels cannot be written in the requested format; a sentence that says why.
    case cannotEncode(String)
    /// Memory could not be allocated, or the size does not fit an `Int`.
    case outOfMemory
  }
  /// What is wrong.
  public let reason: Reason
  /// The position of the decoder in the file; 0 where there is no file.
  public let offset: Int

  /// What the sentence of `.tooLarge` contains: a program can tell by it that a larger limit would help.
  package static let sizeLimitWords = "pixels, more than the"

  /// An error that was noticed at byte `offset`.
  public init(_ reason: Reason, offset: Int = 0) {
    self.reason = reason
    self.offset = offset
  }

  /// A sentence without the path.
  public var description: String {
    switch reason {
    case .empty: "the file is empty"
    case .unknownFormat(let looks): "this is \(looks); JPEG or PNG is expected"
    case .unsupported(let kind): "this is \(kind), which is not supported; save it as an ordinary JPEG or PNG"
    case .truncated: "the image is cut short: the file ends at byte \(offset)"
    case .damaged(let words): "the image is damaged near byte \(offset): \(words)"
    case .excessive(let words): "the image is refused because decoding it would take too much work: \(words)"
    case .timedOut: "decoding the image took too long and was abandoned"
    case .tooLarge(let width, let height, let limit):
      "the image has \(width)x\(height) \(Self.sizeLimitWords) \(limit) allowed"
    case .smallerThanShape(let width, let height, let shape):
      "input image size smaller than input shape: \(width)x\(height) pixels, from which "
        + "\(shape[2])x\(shape[1]) are to be cropped"
    case .cannotEncode(let why): why
    case .outOfMemory: "there is not enough memory for this image"
    }
  }
}

/// Something wrong or unusual in an image file that could be decoded.
///
/// The description is a sentence for the user, without the path.
public struct ImageDoubt: Hashable, Sendable, CustomStringConvertible {
  /// Whether pixels are wrong or missing, and were kept because the caller asked for that. If not, all may be right.
  public let isDamage: Bool
  /// A sentence without the path.
  public let description: String

  init(isDamage: Bool, description: String) {
    self.isDamage = isDamage
    self.description = description
  }

  /// The doubt for damage that was kept.
  public init(_ damage: ImageError) { self.init(isDamage: true, description: damage.description) }
}
