public import Imaging
public import Scoring

/// The comparison of two runs as one HTML file; what holds for `ScoreReport` holds for it.
public struct ComparisonReport: Sendable {
  public let comparison: Comparison
  /// The runs compared, for their matrices.
  public let a: Score, b: Score

  public init(_ comparison: Comparison, a: Score, b: Score) {
    self.comparison = comparison
    self.a = a
    self.b = b
  }

  /// The images whose thumbnails it would show, most wanted first.
  public var wantedImages: [String] {
    let kinds: [Flip.Kind] = [.broken, .fixed, .changed]
    return kinds.flatMap { kind in ComparisonPage.shown(comparison.flips, kind).map(\.path) }
  }

  /// Bytes of JPEG that fit into the file beside everything else.
  public func thumbnailByteBudget() throws(Imaging.ImageError) -> Int {
    let captions = 700 * wantedImages.count
    return max(0, (ScoreReport.byteLimit - (try html().utf8.count) - captions - 100_000) / 4 * 3)
  }

  /// The file, UTF-8.
  /// - Throws: `ImageError` where there is no memory for the pictures of the matrices.
  public func html(thumbnails: Thumbnails = Thumbnails()) throws(Imaging.ImageError) -> String {
    let thumbs = ThumbBook(thumbnails.count == 0 ? [] : wantedImages, thumbnails)
    return try ComparisonPage(comparison, a: a, b: b, thumbs: thumbs).page().html()
  }
}
