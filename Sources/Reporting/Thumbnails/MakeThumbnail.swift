import Files
import Imaging
import Records

extension ImageSource {
  /// The thumbnails of some images.
  /// - Throws: `CancellationError`.
  func thumbnails(of paths: [String], _ options: ThumbnailOptions) throws -> [Result<Thumbnail, Unreadable>] {
    switch place {
    case .folder(let folder):
      return try paths.map { path in
        try Task.checkCancellation()
        return made(options) { () throws(Unreadable) in try file(join(folder, path)) }
      }
    case .records(let name, let offsets):
      let reader: RecordReader
      do throws(RecordError) {
        reader = try RecordReader(name)
      } catch {
        return paths.map { _ in .failure(Unreadable(reason: error.sentence)) }
      }
      var results: [Result<Thumbnail, Unreadable>] = []
      for path in paths {
        try Task.checkCancellation()
        guard let offset = offsets[Array(path.utf8)] else {
          results.append(.failure(Unreadable(reason: "it is not among the records")))
          continue
        }
        do throws(RecordError) {
          let record = try reader.read(at: offset)
          let start = try record.parse().imageStart
          results.append(made(options) { () throws(Unreadable) in Array(record.payload[start...]) })
        } catch {
          results.append(.failure(Unreadable(reason: error.sentence)))
        }
      }
      return results
    }
  }

  private func file(_ path: String) throws(Unreadable) -> [UInt8] {
    // The system would take what stands before it for the path.
    if path.utf8.contains(0) { throw Unreadable(reason: "its path has a zero byte") }
    do throws(FileError) {
      return try readFile(path, limit: 1 << 30).bytes
    } catch {
      throw Unreadable(reason: error.sentence)
    }
  }

  private func made(_ options: ThumbnailOptions, _ bytes: () throws(Unreadable) -> [UInt8]) -> Result<
    Thumbnail, Unreadable
  > {
    do throws(Unreadable) {
      let bytes = try bytes()
      return .success(try thumbnail(bytes, options))
    } catch {
      return .failure(error)
    }
  }
}

extension Thumbnail {
  /// A small picture of one image; nil where it cannot be read.
  package init?(of image: [UInt8], _ options: ThumbnailOptions = ThumbnailOptions()) {
    do throws(Unreadable) {
      self = try thumbnail(image, options)
    } catch {
      return nil
    }
  }
}

private func thumbnail(_ bytes: [UInt8], _ options: ThumbnailOptions) throws(Unreadable) -> Thumbnail {
  do throws(ImageError) {
    let pixels = try decode(bytes.span, DecodeOptions(maximumPixelCount: options.maximumPixelCount))
    let longest = max(pixels.width, pixels.height)
    guard longest > options.longestSide else {
      return Thumbnail(
        width: pixels.width, height: pixels.height,
        jpeg: try encode(pixels, as: .jpeg(quality: options.quality)))
    }
    let size = { (side: Int) in max(1, (side * options.longestSide + longest / 2) / longest) }
    let small = try pixels.resized(width: size(pixels.width), height: size(pixels.height), filter: .area)
    return Thumbnail(
      width: small.width, height: small.height, jpeg: try encode(small, as: .jpeg(quality: options.quality))
    )
  } catch {
    throw Unreadable(reason: error.description)
  }
}
