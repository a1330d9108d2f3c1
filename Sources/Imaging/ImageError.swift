/// Why an image could not be read or written, and at which byte of the file that was noticed.
///
/// The description is a sentence for the user, without the path: the caller knows it.
public struct ImageError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// The file has no bytes.
    case empty
    /// Neither JPEG nor PNG; says what it looks like, for example "a GIF image".
    case unknownFormat(String)
    /// A JPEG or PNG of a kind that is not decoded here, for example "a lossless JPEG".
    case unsupported(String)
    /// The file ends before the picture does.
    case truncated
    /// The compressed data contradict themselves; the decoder's own words.
    case damaged(String)
    /// More work than any real picture needs: too many scans, or compressed data that no row is made of.
    case excessive(String)
    /// The time limit is over.
    case timedOut
    /// More pixels than the limit; nothing was allocated for them.
    case tooLarge(width: Int, height: Int, limit: Int)
    /// Smaller than what a training tensor is cut out of, after the resize if there is one.
    case smallerThanShape(width: Int, height: Int, shape: [Int])
    /// The pixels cannot be written in the format asked for; says why.
    case cannotEncode(String)
    case outOfMemory
  }
  public let reason: Reason
  /// The byte of the file at which the decoder stood; 0 where no file is involved.
  public let offset: Int

  public init(_ reason: Reason, offset: Int = 0) {
    self.reason = reason
    self.offset = offset
  }

  public var description: String {
    switch reason {
    case .empty: "the file is empty"
    case .unknownFormat(let looks): "this is \(looks); JPEG or PNG is expected"
    case .unsupported(let kind): "this is \(kind), which is not supported; save it as an ordinary JPEG or PNG"
    case .truncated: "the image is cut short: the file ends at byte \(offset)"
    case .damaged(let words): "the image is damaged near byte \(offset): \(words)"
    case .excessive(let words): "the image is refused for the work it would make: \(words)"
    case .timedOut: "decoding the image took too long and was given up"
    case .tooLarge(let width, let height, let limit):
      "the image has \(width)x\(height) pixels, more than the \(limit) that --max-pixels allows"
    case .smallerThanShape(let width, let height, let shape):
      "input image size smaller than input shape: \(width)x\(height) pixels, of which "
        + "\(shape[2])x\(shape[1]) are to be cut out"
    case .cannotEncode(let why): why
    case .outOfMemory: "there is not enough memory for this image"
    }
  }
}

/// What a sound file does not have, noticed in one whose pixels could all be made.
///
/// The description is a sentence for the user, without the path.
public struct ImageDoubt: Hashable, Sendable, CustomStringConvertible {
  /// Pixels are wrong or missing, and were kept because that was asked for; otherwise they may all be right.
  public let isDamage: Bool
  public let description: String

  init(isDamage: Bool, description: String) {
    self.isDamage = isDamage
    self.description = description
  }

  /// Damage that is kept.
  public init(_ damage: ImageError) { self.init(isDamage: true, description: damage.description) }
}
