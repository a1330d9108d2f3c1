public import Files
import Imaging
import Records

/// The contents of a `.rec` file, according to the headers of its records and images.
public struct RecordInfo: Codable, Sendable {
  /// A bin of the histogram of short edges.
  public struct Bin: Codable, Sendable {
    /// The range of short edges in pixels: at least `from`, less than `below`.
    public let from: Int
    public let below: Int
    /// Images in this bin.
    public var count: Int
  }
  public var records = 0
  /// The size of the file.
  public var bytes = 0
  /// The number of labels of an image, which is 1 unless labels are packed; the maximum if records differ.
  public var labelWidth = 0
  /// The number of images by their first label.
  public var labels: [String: Int] = [:]
  /// The number of images by format: "jpeg", "png", "other".
  public var encodings: [String: Int] = [:]
  /// The number of images whose EXIF orientation is not upright.
  public var orientations = 0
  /// Records with labels but no image, as in InsightFace's data sets.
  public var labelRecords = 0
  /// The histogram of the images' shorter edges, without empty bins.
  public var shortEdges: [Bin] = []
  /// Width and height of the image with the smallest area.
  public var smallest: [Int]?
  /// Width and height of the image with the largest area.
  public var largest: [Int]?
  /// The mean size of the encoded images.
  public var meanImageBytes = 0
  public var warnings: [String] = []
}

private let binEdges = [0, 32, 64, 96, 128, 192, 224, 256, 320, 384, 512, 768, 1024, 2048, 4096]

/// Reads the headers of every record and its image.
///
/// - Throws: `RecordError` at the first damaged record, while `verify` finds them all; `FileError`;
///   `CancellationError`.
/// - Complexity: O(bytes); no image is decoded.
public func info(_ path: String, progress: (Progress) -> Void = { _ in }) throws -> RecordInfo {
  var reader = try RecordReader(path)
  var result = RecordInfo()
  result.bytes = reader.byteCount
  var edges = [Int](repeating: 0, count: binEdges.count)
  var imageByteCount = 0
  var imageCount = 0
  while let record = try reader.next() {
    try Task.checkCancellation()
    result.records += 1
    progress(Progress(done: result.records, skipped: 0, byte: reader.offset, of: reader.byteCount))
    let content = try ImageRecord(record)
    guard !content.isLabelRecord else {
      result.labelRecords += 1
      continue
    }
    imageCount += 1
    imageByteCount += content.imageByteCount
    result.labelWidth = max(result.labelWidth, content.header.allLabels.count)
    result.labels[content.labelName, default: 0] += 1
    guard let image = try? content.withImage({ try probe($0) }) else {
      result.encodings["other", default: 0] += 1
      continue
    }
    result.encodings[image.format.rawValue, default: 0] += 1
    if image.orientation != 1 { result.orientations += 1 }
    let shortEdge = min(image.width, image.height)
    edges[(binEdges.lastIndex { $0 <= shortEdge }) ?? 0] += 1
    let size = [image.width, image.height]
    if result.smallest.map({ area(size) < area($0) }) ?? true { result.smallest = size }
    if result.largest.map({ area(size) > area($0) }) ?? true { result.largest = size }
  }
  result.meanImageBytes = imageCount > 0 ? imageByteCount / imageCount : 0
  result.shortEdges = binEdges.indices.filter { edges[$0] > 0 }.map { bin in
    RecordInfo.Bin(
      from: binEdges[bin], below: bin + 1 < binEdges.count ? binEdges[bin + 1] : 65_536, count: edges[bin])
  }
  if result.records == 0 { result.warnings.append("the file holds no records") }
  if result.labels.count == 1 && imageCount > 1 {
    result.warnings.append("every image has the label \(result.labels.keys.first ?? "")")
  }
  return result
}

private func area(_ size: [Int]) -> Int { size[0].multipliedReportingOverflow(by: size[1]).partialValue }
