import Files
import Imaging
import Records

/// The outcome of one list entry.
enum Packed: Sendable {
  /// A complete record frame, ready to be appended to the `.rec` file.
  case record([UInt8], checksum: UInt64, doubt: String?)
  case skipped(reason: String)
}

/// Makes the record of one list entry: reads the file, decodes, crops, resizes, encodes and frames it.
///
/// Follows `image_encode` of MXNet's im2rec.py: the central square is cropped before resizing, small images are
/// enlarged, and only the first label is stored unless `packLabel` is set.
/// - Throws: `FileError` for problems that are not the image's fault: too little memory, too many open files, a failing
///   disk, or a root folder that is gone.
func packImage(_ entry: ListEntry, root: InputRoot, options: PackOptions) throws(FileError)
  -> (packed: Packed, source: FileStamp?)
{
  do throws(FileError) {
    // A record holds less than 2^29 bytes, so a file above this limit could not be stored unchanged.
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

/// Checks a file that is to be stored unchanged. With `keepDamaged`, damaged images pass with a doubt; files that are
/// not images never pass.
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
/// The upper bound of a record's frame: the largest payload, with a magic number escaped at every fourth byte.
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
          "with a short edge of \(edge) pixels it would be \(size.width)x\(size.height), but a JPEG has at most "
            + "\(limit) pixels per side"))
    }
    let resized = try pixels.resized(
      width: size.width, height: size.height, filter: options.filter, from: window,
      limit: options.maximumPixelCount)
    return try encode(resized, as: encoding)
  }
  if let window { return try encode(pixels.cropped(to: window), as: encoding) }
  return try encode(pixels, as: encoding)
}
