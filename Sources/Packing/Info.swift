public import Files
import Imaging
import Records

/// What a `.rec` file holds, found from its headers and the headers of its images.
public struct RecordInfo: Codable, Sendable {
  public struct Bin: Codable, Sendable {
    /// The short edges of this bin, in pixels: at least `from`, less than `below`.
    public let from: Int
    public let below: Int
    public var count: Int
  }
  public var records = 0
  /// Of the file.
  public var bytes = 0
  /// Labels of an image: 1 unless labels are packed. The most where records differ.
  public var labelWidth = 0
  /// Images of each (first) label.
  public var labels: [String: Int] = [:]
  /// Images by format: "jpeg", "png", "other".
  public var encodings: [String: Int] = [:]
  /// Images whose EXIF orientation is not upright.
  public var orientations = 0
  /// Records that carry labels and no image, as InsightFace's face sets have.
  public var labelRecords = 0
  /// Images by the length of their short edge.
  public var shortEdges: [Bin] = []
  public var smallest: [Int]?
  public var largest: [Int]?
  /// Bytes of the encoded images.
  public var meanImageBytes = 0
  public var warnings: [String] = []
}

private let binEdges = [0, 32, 64, 96, 128, 192, 224, 256, 320, 384, 512, 768, 1024, 2048, 4096]

/// Reads every record's headers; no image is decoded.
/// - Throws: `RecordError` at the first damaged record; `imrec verify` finds them all.
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
  if result.records == 0 { result.warnings.append("the file holds no record") }
  if result.labels.count == 1 && imageCount > 1 {
    result.warnings.append("every image has the label \(result.labels.keys.first ?? "")")
  }
  return result
}

private func area(_ size: [Int]) -> Int { size[0].multipliedReportingOverflow(by: size[1]).partialValue }
