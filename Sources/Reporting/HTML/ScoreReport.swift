public import Imaging
public import Scoring

/// The report of a run as one HTML file.
///
/// It is complete without its script, asks nobody for anything, and has the same bytes for the same score and
/// thumbnails.
public struct ScoreReport: Sendable {
  /// Bytes of the file, unless what must be in it takes more.
  public static let byteLimit = 5_000_000

  public let score: Score

  public init(_ score: Score) { self.score = score }

  /// The images whose thumbnails it would show, most wanted first.
  public var wantedImages: [String] { WantedImages.paths(of: score) }

  /// Bytes of JPEG that fit into the file beside everything else.
  /// - Complexity: as `html`: it is written once without thumbnails to know.
  public func thumbnailByteBudget() throws(Imaging.ImageError) -> Int {
    let rest = try html().utf8.count
    // Each has a caption of its own, in base64 4 characters stand for 3 bytes.
    let captions = 700 * (ScorePage.galleryLimit * 2 + ScorePage.cellGalleryCount * ScorePage.cellFigureCount)
    return max(0, (Self.byteLimit - rest - captions - 100_000) / 4 * 3)
  }

  /// The file, UTF-8.
  /// - Throws: `ImageError` where there is no memory for the picture of the matrix.
  public func html(thumbnails: Thumbnails = Thumbnails()) throws(Imaging.ImageError) -> String {
    let thumbs = ThumbBook(thumbnails.count == 0 ? [] : wantedImages, thumbnails)
    return try ScorePage(score, thumbs: thumbs).page().html()
  }
}
