/// One record as it was read: its place in the file and its payload, the parts joined.
public struct Record: Hashable, Sendable {
  /// The first byte of the record's head in the file; what an index holds.
  public let offset: Int
  /// Bytes on disk: the heads of all parts, the payload and the padding. The next record starts behind them.
  public let frameByteCount: Int
  public let payload: [UInt8]
  /// The file, for messages.
  public let path: String

  public init(offset: Int, frameByteCount: Int, payload: [UInt8], path: String) {
    self.offset = offset
    self.frameByteCount = frameByteCount
    self.payload = payload
    self.path = path
  }

  /// Reads the image header.
  ///
  /// - Returns: the header, and where in `payload` the image file starts. A record without an image, as the first
  ///   ones of InsightFace's sets, is no error: `imageStart` then equals `payload.count`.
  /// - Throws: `.headerTooShort`, `.labelsTooLong`.
  public func parse() throws(RecordError) -> (header: ImageHeader, imageStart: Int) {
    do throws(ImageHeader.HeaderFault) {
      let header = try ImageHeader(parsing: payload.span)
      return (header, header.byteCount)
    } catch {
      throw RecordError(error.reason, path: path, offset: offset)
    }
  }
}
