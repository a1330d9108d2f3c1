import CZlib
import Files

/// Why a file is no whole gzip file, in a sentence.
package struct GzipFault: Error, Hashable, Sendable, CustomStringConvertible {
  package let description: String
}

/// Unpacks a gzip file, also one of several parts, and checks the checksum and the length of each.
///
/// - Throws: `GzipFault` for what is damaged, cut short, or no gzip; `FileError`; `CancellationError`. The target then is
///   what it was.
/// - Complexity: O(bytes) of time; a few hundred KB of memory.
package func unpackGzip(_ path: String, to target: String) throws {
  let file = try InputFile(path)
  guard file.byteCount > 0 else { throw GzipFault(description: "it is empty") }
  var output = try StagedFile(target)
  do {
    try unpack(file, to: &output)
  } catch {
    output.discard()
    throw error
  }
  try output.publish(durably: false)
}

private func unpack(_ file: borrowing InputFile, to output: inout StagedFile) throws {
  let inflater = try Inflater()
  var block = [UInt8](repeating: 0, count: 1 << 16)
  var offset = 0
  while offset < file.byteCount {
    try Task.checkCancellation()
    var span = block.mutableSpan
    var raw = unsafe span.mutableBytes
    let count = try file.read(at: offset, into: &raw)
    guard count > 0 else { throw FileError(.changed, path: file.path) }
    try inflater.unpack(block[..<count], at: offset) { (bytes: Span<UInt8>) throws in try output.append(bytes)
    }
    offset += count
  }
  guard !inflater.isWithin else { throw GzipFault(description: "it ends at byte \(offset), within a part") }
}

/// zlib's state, which must not move.
@safe private final class Inflater {
  /// A part has begun, and has not ended.
  private(set) var isWithin = false
  private let stream: UnsafeMutablePointer<z_stream>

  init() throws(GzipFault) {
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    guard unsafe z_begin_gzip(stream) == Z_OK else {
      unsafe stream.deallocate()
      throw GzipFault(description: "memory is lacking")
    }
  }

  deinit {
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// - Parameter offset: of the block in the file.
  func unpack(_ block: ArraySlice<UInt8>, at offset: Int, take: (Span<UInt8>) throws -> Void) throws {
    var left = block
    var unpacked = [UInt8](repeating: 0, count: 1 << 18)
    var isFull = false
    // What did not fit is given without further input.
    while !left.isEmpty || isFull {
      let (status, taken, made) = step(left, &unpacked)
      isFull = made == unpacked.count
      left = left.dropFirst(taken)
      if made > 0 { try take(unpacked.span.extracting(first: made)) }
      switch status {
      case Z_OK: isWithin = true
      case Z_STREAM_END:
        isWithin = false
        unsafe inflateReset(stream)
      // Nothing is left to do with this block.
      case Z_BUF_ERROR where taken == 0 && made == 0: return
      case Z_BUF_ERROR: isWithin = true
      default:
        let words = unsafe stream.pointee.msg.map { unsafe String(cString: $0) } ?? "zlib's error \(status)"
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
