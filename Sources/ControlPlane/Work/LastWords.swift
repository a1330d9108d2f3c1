import Files
import Jobs

extension Ending {
  /// The sentence, and, of a process that ended by itself, what it said last in its log.
  func sentence(log path: String) -> String {
    guard case .exited = status, let words = lastWords(of: path) else {
      return "\(sentence); its log says more."
    }
    return "\(sentence): \(words)"
  }
}

/// The last line of a log that the program says in its own name, or, where there is none, the last one.
private func lastWords(of path: String) -> String? {
  guard let end = try? readEnd(of: path, byteCount: 4096) else { return nil }
  let lines = String(decoding: end, as: UTF8.self).split(whereSeparator: \.isNewline)
  let name = "imrec: "
  if let own = lines.last(where: { $0.hasPrefix(name) }) { return String(own.dropFirst(name.count)) }
  return lines.last.map(String.init)
}

private func readEnd(of path: String, byteCount: Int) throws -> [UInt8] {
  let file = try InputFile(path)
  var bytes = [UInt8](repeating: 0, count: min(byteCount, file.byteCount))
  var span = bytes.mutableSpan
  var raw = unsafe span.mutableBytes
  let got = try file.read(at: file.byteCount - raw.byteCount, into: &raw)
  return Array(bytes.prefix(got))
}
