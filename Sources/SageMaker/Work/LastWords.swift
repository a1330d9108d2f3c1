import Glibc
import Jobs

extension Ending {
  /// The sentence, and, of a process that ended by itself, what it said last in its log.
  ///
  /// Where there is hardly any room on the disk that is said as well: then what it said last may not be there.
  func sentence(log path: String) -> String {
    guard case .exited = status else { return "\(sentence); its log says more." }
    var told = sentence
    if let room = roomLeft(on: path), room < littleRoom {
      told += ", and the disk is full or nearly so: \(room) bytes are left"
    }
    let words = lastWords(of: path, byteCount: 4096, prefixes: ["imrec: "], otherwiseAny: true)
    return words.map { "\(told): \($0)" } ?? "\(told); its log says more."
  }
}

/// Less than a training writes at once: a partial file that was removed again has left so much at most.
private let littleRoom = 16 << 20

/// Bytes that can still be written on the disk that a file is on.
private func roomLeft(on path: String) -> Int? {
  var disk = statvfs()
  guard unsafe statvfs(path, &disk) == 0 else { return nil }
  let (bytes, isTooLarge) = UInt64(disk.f_bavail).multipliedReportingOverflow(by: UInt64(disk.f_frsize))
  return isTooLarge ? nil : Int(exactly: bytes)
}
