import CZlib
import Files

/// Why a file is not a complete gzip file.
package struct GzipFault: Error, Hashable, Sendable, CustomStringConvertible {
  package let description: String
}

/// Decompresses a gzip file, which may have several members, and verifies the CRC and the length of each member.
///
/// - Throws: `GzipFault` if the file is damaged, truncated or not gzip; `FileError`; `CancellationError`. The target is then
///   unchanged.
/// - Complexity: O(bytes) time; a few hundred KB of memory.
package func unpackGzip(_ path: String, to target: String) throws {
  let file = try InputFile(path)
  guard file.byteCount > 0 else { throw GzipFault(description: "it is empty") }
  var output = try StagedFile(target)
  do {
    try unpack(file) { (bytes: Span<UInt8>) throws in try output.append(bytes) }
  } catch {
    output.discard()
    throw error
  }
  try output.publish(durably: false)
}

/// Verifies the CRC and the length of each member of a gzip file; libarchive looks at neither. What follows the last
/// member is ignored.
///
/// - Parameter limit: the most bytes that the file may unpack to.
/// - Throws: `GzipFault` if the file is damaged, truncated or too large; `FileError`.
/// - Complexity: O(bytes) time; a few hundred KB of memory.
func verifyGzip(_ file: borrowing InputFile, limit: Int) throws {
  var byteCount = 0
  try unpack(file, ignoresRest: true) { (bytes: Span<UInt8>) throws in
    byteCount += bytes.count
    if byteCount > limit { throw GzipFault(description: "it unpacks to more than \(limit) bytes") }
  }
}

private func unpack(
  _ file: borrowing InputFile, ignoresRest: Bool = false, take: (Span<UInt8>) throws -> Void
) throws {
  let inflater = try Inflater()
  var block = [UInt8](repeating: 0, count: 1 << 16)
  var offset = 0
  while offset < file.byteCount {
    try Task.checkCancellation()
    var span = block.mutableSpan
    var raw = unsafe span.mutableBytes
    let count = try file.read(at: offset, into: &raw)
    guard count > 0 else { throw FileError(.changed, path: file.path) }
    do {
      try inflater.unpack(block[..<count], at: offset, take: take)
    } catch is GzipFault where ignoresRest && inflater.hasMember && !inflater.isWithin {
      return
    }
    offset += count
  }
  guard !inflater.isWithin else {
    throw GzipFault(description: "it ends at byte \(offset), within a gzip member")
  }
}

/// Owns zlib's stream state, which must not move in memory.
@safe private final class Inflater {
  /// Whether the input so far ends within a gzip member.
  private(set) var isWithin = false
  /// Whether a member was read to its end.
  private(set) var hasMember = false
  private let stream: UnsafeMutablePointer<z_stream>

  init() throws(GzipFault) {
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    guard unsafe z_begin_gzip(stream) == Z_OK else {
      unsafe stream.deallocate()
      throw GzipFault(description: "there is not enough memory to decompress it")
    }
  }

  deinit {
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// Decompresses the next block of the file.
  ///
  /// - Parameters:
  ///   - offset: the offset of the block in the file, for error messages.
  ///   - take: receives the output, piece by piece.
  func unpack(_ block: ArraySlice<UInt8>, at offset: Int, take: (Span<UInt8>) throws -> Void) throws {
    var left = block
    var unpacked = [UInt8](repeating: 0, count: 1 << 18)
    var isFull = false
    // A full output buffer means that zlib may have more output, even without further input.
    while !left.isEmpty || isFull {
      let (status, taken, made) = step(left, &unpacked)
      isFull = made == unpacked.count
      left = left.dropFirst(taken)
      if made > 0 { try take(unpacked.span.extracting(first: made)) }
      switch status {
      case Z_OK: isWithin = true
      case Z_STREAM_END:
        (isWithin, hasMember) = (false, true)
        unsafe inflateReset(stream)
      // No progress: zlib needs the next block.
      case Z_BUF_ERROR where taken == 0 && made == 0: return
      case Z_BUF_ERROR: isWithin = true
      default:
        let words = unsafe stream.pointee.msg.map { unsafe String(cString: $0) } ?? "zlib error \(status)"
        throw GzipFault(description: "\(words), near byte \(offset + block.count - left.count)")
      }
    }
  }

  private func step(
    _ input: ArraySlice<UInt8>, _ unpacked: inout [UInt8]
  ) -> (status: Int32, taken: Int, made: Int) {
    unsafe input.withUnsafeBufferPointer { input in
      unsafe unpacked.withUnsafeMutableBufferPointer { output in
        unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
        unsafe stream.pointee.avail_in = UInt32(clamping: input.count)
        unsafe stream.pointee.next_out = output.baseAddress
        unsafe stream.pointee.avail_out = UInt32(clamping: output.count)
        let status = unsafe inflate(stream, Z_NO_FLUSH)
        return unsafe (
          status, input.count - Int(stream.pointee.avail_in), output.count - Int(stream.pointee.avail_out)
        )
      }
    }
  }
}
