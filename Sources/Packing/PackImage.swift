import Files
import Imaging
import Records

/// What became of one list entry.
enum Packed: Sendable {
  /// The framed record, ready to be appended.
  case record([UInt8], checksum: UInt64, doubt: String?)
  case skipped(reason: String)
}

/// Makes the record of one list entry: reads the file, decodes, crops, resizes, encodes and frames.
///
/// Follows `image_encode` of MXNet's im2rec.py: the square is cut before resizing, the short edge is resized also
/// when that enlarges, one label is stored unless all are asked for.
/// - Throws: where the machine lacks something, for example memory or open files, where its disk fails, and where the
///   root is gone: no image is at fault then.
func packImage(_ entry: ListEntry, root: InputRoot, options: PackOptions) throws(FileError)
  -> (packed: Packed, source: FileStamp?)
{
  do throws(FileError) {
    // A record holds less than 2^29 bytes; a pass-through of a larger file cannot succeed.
    let file = try readFile(locate(entry.path, root: root.path).file, limit: maximumFileByteCount)
    return (pack(file.bytes, as: entry, options), file.stamp)
  } catch {
    if error.isOfMachine { throw error }
    if error.isMissing { try root.check() }
    return (.skipped(reason: error.sentence), nil)
  }
}

private func pack(_ file: [UInt8], as entry: ListEntry, _ options: PackOptions) -> Packed {
  do {
    var frame: [UInt8] = []
    var doubt: ImageDoubt?
    let header = header(of: entry, options: options)
    if options.passThrough {
      doubt = try checkWhole(file.span, options)
      try appendRecord(header, image: file.span, to: &frame)
    } else {
      let image = try reencode(file.span, options: options, doubt: &doubt)
      try appendRecord(header, image: image.span, to: &frame)
    }
    return .record(frame, checksum: checksum(frame.span), doubt: doubt?.description)
  } catch let error as ImageError {
    return .skipped(reason: error.description)
  } catch let error as RecordError {
    return .skipped(reason: error.sentence)
  } catch {
    return .skipped(reason: "\(error)")
  }
}

/// Damaged images are taken where that is asked for; what is no image at all never is.
private func checkWhole(_ file: Span<UInt8>, _ options: PackOptions) throws(ImageError) -> ImageDoubt? {
  do throws(ImageError) {
    switch options.check {
    case .pixels: return try examine(file, options.decoding)
    case .structure:
      try checkStructure(file, options.decoding)
      return nil
    }
  } catch {
    switch error.reason {
    case .truncated, .damaged:
      if !options.keepDamaged || file.count < 4 { throw error }
      return ImageDoubt(error)
    default: throw error
    }
  }
}

let maximumFileByteCount = 1 << 30
/// A record of the largest payload, split into parts at every fourth byte, is no longer than this.
let maximumFrameByteCount = 1 << 31

private func header(of entry: ListEntry, options: PackOptions) -> ImageHeader {
  if options.packLabel && entry.labels.count > 1 {
    return ImageHeader(labels: entry.labels.map { Float($0) }, id: entry.id)
  }
  return ImageHeader(label: Float(entry.labels.first ?? 0), id: entry.id)
}

private func reencode(
  _ file: Span<UInt8>, options: PackOptions, doubt: inout ImageDoubt?
) throws(ImageError) -> [UInt8] {
  let pixels = try decode(file, options.decoding, doubt: &doubt)
  let encoding: Encoding =
    switch options.encoding {
    case .jpg: .jpeg(quality: options.quality)
    case .png: .png(level: options.quality)
    }
  let window = options.centerCrop ? pixels.centralSquare : nil
  if let edge = options.resize {
    let size = try shortEdgeSize(
      width: window?.width ?? pixels.width, height: window?.height ?? pixels.height, edge: edge)
    let limit = 65_500
    if options.encoding == .jpg && max(size.width, size.height) > limit {
      throw ImageError(
        .cannotEncode(
          "with its short edge at \(edge) it would become \(size.width)x\(size.height), and a JPEG has at most "
            + "\(limit) pixels a side"))
    }
    let resized = try pixels.resized(
      width: size.width, height: size.height, filter: options.filter, from: window,
      limit: options.maximumPixelCount)
    return try encode(resized, as: encoding)
  }
  if let window { return try encode(pixels.cropped(to: window), as: encoding) }
  return try encode(pixels, as: encoding)
}
